import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fileTransport, httpTransport, LineageEmitter, runEvent, runIdOf } from '../../../src/lineage/index.ts';
import type { EmitterReports, LineageEvent, Transport } from '../../../src/lineage/index.ts';

const eventOf = (name: string): LineageEvent =>
  runEvent('ns', { job: name, type: 'TASK', inputs: [], outputs: [] }, { runId: runIdOf(name), type: 'START', at: 0 });

const signal = new AbortController().signal;

let directory: string;
beforeAll(async () => (directory = await mkdtemp(path.join(tmpdir(), 'cupel-lineage-'))));
afterAll(() => rm(directory, { recursive: true, force: true }));

const linesOf = async (file: string) =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LineageEvent);

describe('a file', () => {
  test('has one event a line, in a folder that is made', async () => {
    const file = path.join(directory, 'new/folder/events.ndjson');
    const transport = fileTransport(file);
    for (const name of ['a', 'b']) await transport.send(eventOf(name), signal);
    expect(await linesOf(file)).toEqual([eventOf('a'), eventOf('b')]);
  });

  test('takes events of several processes at once, each whole', async () => {
    const file = path.join(directory, 'shared.ndjson');
    const [processes, each] = [4, 100];
    const script = `
      const { fileTransport } = await import(${JSON.stringify(new URL('../../../src/lineage/transports/file.ts', import.meta.url).href)});
      const transport = fileTransport(${JSON.stringify(file)});
      process.send('ready');
      await new Promise((resolve) => process.once('message', resolve));
      for (let i = 0; i < ${each}; i += 1) await transport.send({ by: process.argv[1], i, pad: 'x'.repeat(20_000) });
      process.disconnect();`;
    const children = Array.from({ length: processes }, (_, by) =>
      spawn(process.execPath, ['--input-type=module', '-e', script, String(by)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))));
    const ends = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) child.send('go');
    expect(await Promise.all(ends)).toEqual(children.map(() => 0));
    const lines = (await linesOf(file)) as unknown as { by: string; i: number; pad: string }[];
    expect(lines).toHaveLength(processes * each);
    expect(new Set(lines.map(({ by, i }) => `${by} ${i}`)).size).toBe(processes * each);
    expect(lines.every(({ pad }) => pad.length === 20_000)).toBe(true);
  }, 60_000);

  test('that cannot be written is told by a code', () =>
    expect(fileTransport(path.join(directory)).send(eventOf('a'), signal)).rejects.toMatchObject({
      code: 'CUP_LINEAGE_UNAVAILABLE',
      details: { answer: 'EISDIR' },
    }));
});

describe('a server', () => {
  let server: Server;
  let seen: { url: string; method: string; headers: IncomingHttpHeaders; body: string }[];
  /** Statuses of the next answers; 0: none. Then all is well. */
  let answers: number[];
  let url: string;

  beforeEach(async () => {
    [seen, answers] = [[], []];
    server = createServer((request, response) => {
      void text(request).then((body) => {
        seen.push({ url: request.url ?? '', method: request.method ?? '', headers: request.headers, body });
        const status = answers.shift() ?? 201;
        if (status) response.writeHead(status, { location: '/elsewhere' }).end('said');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });

  const to = (more: object = {}): Transport =>
    httpTransport({ url, endpoint: 'api/v1/lineage', timeoutMs: 5_000, ...more });

  test("gets JSON where OpenLineage's own client posts it, with the key", async () => {
    await to({ apiKey: 'secret' }).send(eventOf('a'), signal);
    await to({ url: `${url}/`, endpoint: '/custom' }).send(eventOf('b'), signal);
    expect(seen.map((request) => [request.method, request.url])).toEqual([
      ['POST', '/api/v1/lineage'],
      ['POST', '/custom'],
    ]);
    const [first, second] = seen;
    expect(first?.headers).toMatchObject({ 'content-type': 'application/json', authorization: 'Bearer secret' });
    expect(second?.headers.authorization).toBeUndefined();
    expect(JSON.parse(first?.body ?? '')).toEqual(eventOf('a'));
  });

  test('is asked again after what may pass', async () => {
    answers = [503, 429];
    await to().send(eventOf('a'), signal);
    expect(seen).toHaveLength(3);
  });

  test('that does not answer in time is asked again', async () => {
    answers = [0];
    await to({ timeoutMs: 200 }).send(eventOf('a'), signal);
    expect(seen).toHaveLength(2);
  });

  test.each([400, 401, 404, 302])('that says %i is not asked again, and its address is not told', async (status) => {
    answers = [status];
    const sent = to({ url: `${url}/?token=hidden` }).send(eventOf('a'), signal);
    const error = (await sent.catch((caught: unknown) => caught)) as Error & { code: string };
    expect(error.code).toBe('CUP_LINEAGE_REFUSED');
    expect(error.message).toContain(String(status));
    expect(error.message).not.toContain('hidden');
    expect(seen).toHaveLength(1);
  });

  test('that is away for good is given up, and at once when the process ends', async () => {
    answers = Array.from({ length: 20 }, () => 503);
    const ending = new AbortController();
    const sent = to().send(eventOf('a'), ending.signal);
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    ending.abort();
    await expect(sent).rejects.toMatchObject({ code: 'CUP_LINEAGE_UNAVAILABLE' });
    expect(seen.length).toBeLessThan(4);
  });
});

describe('the emitter', () => {
  function recorded() {
    const counts: Record<string, number> = {};
    const warnings: Record<string, unknown>[] = [];
    const reports: EmitterReports = {
      log: { warn: (_, attributes) => void warnings.push(attributes) },
      count: ({ transport, outcome }) =>
        (counts[`${transport} ${outcome}`] = (counts[`${transport} ${outcome}`] ?? 0) + 1),
    };
    return { counts, warnings, reports };
  }

  function collecting(): { transport: Transport; names: string[] } {
    const names: string[] = [];
    const send = (event: LineageEvent): Promise<void> => Promise.resolve(void names.push(event.job.name));
    return { transport: { kind: 'file', send }, names };
  }

  test('keeps the order, however long facts take to find', async () => {
    const { transport, names } = collecting();
    const { reports, counts } = recorded();
    const emitter = new LineageEmitter([transport], reports);
    let found: (events: LineageEvent[]) => void = () => undefined;
    emitter.add(() => new Promise((resolve) => (found = resolve)));
    emitter.add(() => Promise.resolve([eventOf('b'), eventOf('c')]));
    found([eventOf('a')]);
    await emitter.idle();
    expect(names).toEqual(['a', 'b', 'c']);
    expect(counts).toEqual({ 'gather done': 2, 'file done': 3 });
  });

  test('one receiver that is away holds up no other, and nobody who gives', async () => {
    const { transport, names } = collecting();
    const { reports, counts, warnings } = recorded();
    const away: Transport = {
      kind: 'http',
      send: (_, ending) =>
        new Promise((_resolve, reject) => ending.addEventListener('abort', () => reject(new Error('ended')))),
    };
    const emitter = new LineageEmitter([away, transport], reports, 10);
    for (let n = 0; n < 10; n += 1) emitter.add(() => Promise.resolve([eventOf(`${n}`)]));
    await expect.poll(() => names.length).toBe(10);
    emitter.add(() => Promise.resolve([eventOf('x'), eventOf('y'), eventOf('z')]));
    await expect.poll(() => names.length).toBe(13);
    expect(counts['http dropped']).toBe(2); // one is being sent, ten wait
    expect(warnings).toEqual([expect.objectContaining({ transport: 'http', code: 'CUP_LINEAGE_UNAVAILABLE' })]);
    await emitter.close(50);
    expect(counts).toMatchObject({ 'http dropped': 12, 'http failed': 1, 'file done': 13 });
  });

  test('says what it could not find out, and goes on', async () => {
    const { transport, names } = collecting();
    const { reports, counts, warnings } = recorded();
    const emitter = new LineageEmitter([transport], reports);
    emitter.add(() => Promise.reject(new Error('storage is away')));
    emitter.add(() => Promise.resolve([eventOf('a')]));
    await emitter.close(1_000);
    expect(names).toEqual(['a']);
    expect(counts).toMatchObject({ 'gather failed': 1, 'gather done': 1 });
    expect(warnings).toEqual([expect.objectContaining({ transport: 'gather', reason: 'storage is away' })]);
  });
});
