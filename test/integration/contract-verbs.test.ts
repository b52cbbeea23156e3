import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startStorage } from '../../local/storage/start.ts';
import { PROJECT } from '../../scripts/tools.ts';
import { admitContract } from '../../src/lakehouse/published-contract.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { contractOf } from '../support/contracts.ts';

let directory: string;
let server: Awaited<ReturnType<typeof startStorage>>;
let storage: Storage;
let ops: string;
let buckets = 0;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  server = await startStorage({ stateDirectory: directory, logDirectory: path.join(directory, 'logs') });
  storage = new Storage({ projectId: 'cupel-test', apiEndpoint: server.url });
});
beforeEach(async () => {
  ops = `cupel-ops-${(buckets += 1)}`;
  await storage.createBucket(ops);
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
});

interface Ended {
  code: number;
  out: string;
  errors: string;
}

/** Runs `cupel contract diff networks` as a person does, on the contracts of the test's folder. */
const diff = (args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> => cupel('diff', args, env);

function cupel(verb: 'diff' | 'publish', args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const main = path.join(PROJECT, 'src/starter/main.ts');
  const all = [main, 'contract', verb, 'networks', '--contracts', directory, ...args];
  const reach = { CUPEL_PROJECT: 'cupel-test', CUPEL_OPS_BUCKET: ops, CUPEL_STORAGE_ENDPOINT: server.url, ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, all, { env: { PATH: process.env.PATH, ...reach } }, (error, out, errors) =>
      resolve({ code: error ? Number(error.code) : 0, out, errors }),
    );
  });
}

/** Writes the contract of networks into the folder, with some of its text replaced. */
async function write(name: string, ...edits: [from: string, to: string][]): Promise<string> {
  const text = await readFile(path.join(PROJECT, 'sources/networks.yaml'), 'utf8');
  const file = path.join(directory, name);
  await writeFile(
    file,
    edits.reduce((yaml, [from, to]) => yaml.replace(from, to), text),
  );
  return file;
}

const publish = (contract = contractOf('networks')): Promise<unknown> =>
  admitContract({ store: new ObjectStore(storage), opsBucket: ops }, contract, { again: true });

test('the first contract of a source, and the one that is published already', async () => {
  await write('networks.yaml');
  expect(await diff()).toMatchObject({
    code: 0,
    out: 'no contract of networks is in force yet: the first run publishes it\n',
  });
  await publish();
  const { hash } = contractOf('networks');
  expect(await diff()).toMatchObject({ code: 0, out: `the same contract, ${hash}: nothing to do\n` });
});

test('a compatible change ends with 0', async () => {
  await publish();
  await write('networks.yaml', ['lookbackHours, value: 48', 'lookbackHours, value: 24']);
  const { code, out } = await diff();
  expect(out.split('\n')).toEqual([
    'path           what          impact      needs',
    'lookbackHours  48 became 24  compatible',
    'compatible: the next run puts it into force, or cupel contract publish does',
    '',
  ]);
  expect(code).toBe(0);
});

test('a change that needs a raised rulesVersion ends with 1 and says which', async () => {
  await publish();
  await write('networks.yaml', ['from: region }', 'from: area }']);
  const { code, out } = await diff();
  expect(out).toMatch(/^mapping\.region\.from +region became area +rules-version +raise rulesVersion: /m);
  expect(out).toMatch(/\nset rulesVersion to 2, and look again\n$/);
  expect(code).toBe(1);
});

test('a breaking change ends with 1, also for machines', async () => {
  await publish();
  await write('networks.yaml', ['bucketCount: 1', 'bucketCount: 4']);
  const { code, out } = await diff(['--json']);
  expect(JSON.parse(out)).toMatchObject({
    source: 'networks',
    from: contractOf('networks').hash,
    impact: 'breaking',
    changes: [{ path: 'sink.bucketCount', what: '1 became 4', impact: 'breaking' }],
  });
  expect(code).toBe(1);
});

test('another published contract is named by its hash', async () => {
  const first = contractOf('networks');
  await publish(first);
  await publish(contractOf('networks', (yaml) => yaml.replace('value: 48', 'value: 24')));
  await write('networks.yaml', ['value: 48', 'value: 24']);
  expect((await diff(['--against', first.hash])).out).toMatch(/^lookbackHours +48 became 24 /m);
  const { code, errors } = await diff(['--against', '0'.repeat(64)]);
  expect(errors).toContain('CUP_OBJECT_NOT_FOUND');
  expect(code).toBe(1);
});

test('a file needs no cloud; one that is not there, or of another source, is refused', async () => {
  const before = await write('before.yaml');
  await write('networks.yaml', ['bucketCount: 1', 'bucketCount: 4']);
  const nowhere = { CUPEL_PROJECT: '', CUPEL_STORAGE_ENDPOINT: '' };
  const { code, out } = await diff(['--against', before], nowhere);
  expect(out).toMatch(/\nbreaking: take the breaking changes back, or cupel contract publish networks --rebuild\n$/);
  expect(code).toBe(1);

  const [none, other] = [path.join(directory, 'none.yaml'), path.join(PROJECT, 'sources/earthquakes.yaml')];
  expect((await diff(['--against', none], nowhere)).errors).toContain('--against: expected the whole hash');
  expect((await diff(['--against', other], nowhere)).errors).toContain('CUP_CONTRACT_UNRELATED');
});

test('publish puts a compatible contract into force, also one that was so before, and refuses a breaking one', async () => {
  await publish();
  await write('networks.yaml', ['value: 48', 'value: 12']);
  expect((await cupel('publish')).out).toMatch(/^lookbackHours +48 became 12 [^]*\nin force: [0-9a-f]{64}\n$/m);
  expect((await diff()).out).toContain('nothing to do');

  const back = contractOf('networks');
  await write('networks.yaml');
  expect(JSON.parse((await cupel('publish', ['--json'])).out)).toMatchObject({ source: 'networks', hash: back.hash });

  await write('networks.yaml', ['bucketCount: 1', 'bucketCount: 4']);
  const refused = await cupel('publish');
  expect(refused.code).toBe(1);
  expect(refused.errors).toContain('CUP_CONTRACT_BREAKING');
  expect(refused.errors).toMatch(/^sink\.bucketCount +1 became 4 +breaking/m);
  await write('networks.yaml');
  expect((await diff()).out).toContain(back.hash);
});
