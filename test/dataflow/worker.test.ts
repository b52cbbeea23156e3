import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../local/ports.ts';
import { answers, spawnServer } from '../../local/process.ts';
import type { ServerProcess } from '../../local/process.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { earthquakes } from '../support/contracts.ts';
import { readyChunk } from './chunk.ts';
import type { ReadyChunk } from './chunk.ts';

let directory: string;
let ready: ReadyChunk;
let prism: ServerProcess;
let jobEndpoint: string;

/** The worker's image as a folder: what beam/deploy/Dockerfile copies and links, and nothing else of the project. */
function layImage(root: string): string {
  const image = path.join(root, 'cupel');
  mkdirSync(path.join(image, 'node_modules/.bin'), { recursive: true });
  for (const name of ['package.json', 'src', 'beam'])
    cpSync(path.join(PROJECT, name), path.join(image, name), { recursive: true });
  for (const name of readdirSync(path.join(PROJECT, 'node_modules'))) {
    if (!name.startsWith('.'))
      symlinkSync(path.join(PROJECT, 'node_modules', name), path.join(image, 'node_modules', name));
  }
  symlinkSync(path.join(image, 'beam/worker.ts'), path.join(image, 'node_modules/.bin/apache-beam-worker'));
  return image;
}

/** The container's entry. A container has the image's variables and none of ours; Prism puts the worker's id in quotes. */
function writeEntry(image: string): string {
  const entry = path.join(directory, 'entry.sh');
  const bin = path.join(PROJECT, 'node_modules/.bin');
  const script = [
    '#!/bin/sh',
    `id=$(echo "$1" | tr -d "'")`,
    `cd ${image}`,
    `exec env -i HOME=${directory} PATH=${bin}:$PATH CUPEL_JOB_THREADS=1 METADATA_SERVER_DETECTION=none \\`,
    `  ${toolPath('beamBoot')} "$id" "$2" --semi_persist_dir=${directory} >> ${directory}/boot.log 2>&1`,
  ];
  writeFileSync(entry, `${script.join('\n')}\n`, { mode: 0o755 });
  return entry;
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  const record = (id: string, version: number) => ({
    type: 'Feature',
    properties: {
      mag: 1.5,
      time: 1_700_000_000_000,
      updated: version,
      tsunami: 0,
      url: `https://example.org/eventpage/${id}`,
    },
    geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
  });
  const features = [record('a', 1_700_000_000_000), record('a', 1_700_000_000_001), record('b', 1_700_000_000_002)];
  const poll = JSON.stringify({ type: 'FeatureCollection', metadata: { generated: 1_700_000_100_000 }, features });
  const [job, web] = [await freePort(), await freePort()];
  jobEndpoint = `localhost:${job}`;
  [ready, prism] = await Promise.all([
    readyChunk(earthquakes(), poll),
    spawnServer({
      name: 'Prism',
      command: toolPath('prism'),
      args: [`-job_port=${job}`, `-web_port=${web}`, '-log_level=warn'],
      logFile: path.join(directory, 'prism.log'),
      ready: () => answers(`http://127.0.0.1:${web}/`),
    }),
  ]);
});
afterAll(async () => {
  await prism.stop();
  await ready.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
});

test("the container's entry starts our worker, with the fixes first, and its job publishes the batch", async () => {
  const entry = writeEntry(layImage(directory));
  const args = [path.join(PROJECT, 'test/dataflow/boot-job.ts'), jobEndpoint, entry, ...ready.arguments];
  const child = spawn(process.execPath, args, { env: ready.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  const log = await readFile(path.join(directory, 'boot.log'), 'utf8').catch(() => '');
  expect(`${code} ${code ? `${output}\n${log}` : ''}`).toBe('0 ');
  expect(log).toMatch(/ Provision info:$/m); // said by the entry, of Beam's own source
  expect(log).toMatch(/^Starting worker job-\d+/m); // said by the SDK's worker, in ours
  const { table, batchId } = ready.chunk;
  const manifest = await ready.deltas.readManifest(table, batchId);
  expect(manifest).toMatchObject({ recordsIn: 3, reduced: 1, rows: 2, quarantined: 0 });
}, 240_000);
