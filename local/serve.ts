import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cloudFile } from './cloud-file.ts';
import type { CloudFile } from './cloud-file.ts';
import { startCloud } from './cloud.ts';
import type { Cloud } from './cloud.ts';
import { identityOf } from './process-identity.ts';
import { afterTheLastOne, noteServers, serversFile } from './servers-file.ts';
import { lockState } from './state-lock.ts';

async function announce(stateDirectory: string, { env, urls }: Cloud): Promise<void> {
  const content: CloudFile = { ...identityOf(process.pid), env, urls };
  const file = cloudFile(stateDirectory);
  await writeFile(`${file}.part`, JSON.stringify(content, null, 2), { mode: 0o600 });
  await rename(`${file}.part`, file);
}

/** Resolves when we are asked to end: by a signal, or by the end of whoever started us, unless told `keep`. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    let kept = false;
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => resolve());
    process.stdin.on('data', (chunk: Buffer) => (kept ||= chunk.toString().includes('keep')));
    process.stdin.on('end', () => kept || resolve());
    process.stdin.on('error', () => kept || resolve());
  });
}

function port(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Runs the laptop-size cloud until it is asked to end. */
async function serve(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      state: text,
      contracts: text,
      'http-endpoints': text,
      'temporal-port': text,
      'ui-port': text,
      'storage-port': text,
      'catalog-port': text,
      'warehouse-port': text,
    },
  });
  const stateDirectory = path.resolve(values.state ?? '.cupel');
  await mkdir(stateDirectory, { recursive: true });
  const ended = askedToEnd();
  const unlock = lockState(stateDirectory);
  await rm(cloudFile(stateDirectory), { force: true }); // of one that was killed
  await afterTheLastOne(stateDirectory);
  noteServers(stateDirectory);
  const pinned = {
    temporal: port(values['temporal-port']),
    temporalUi: port(values['ui-port']),
    storage: port(values['storage-port']),
    catalog: port(values['catalog-port']),
    warehouse: port(values['warehouse-port']),
  };
  const ports = Object.fromEntries(Object.entries(pinned).filter(([, value]) => value !== undefined)) as Record<
    string,
    number
  >;
  const cloud = await startCloud({
    stateDirectory,
    ports,
    ...(values.contracts ? { contractsDirectory: path.resolve(values.contracts) } : {}),
    ...(values['http-endpoints'] ? { httpEndpoints: values['http-endpoints'] } : {}),
  });
  try {
    await announce(stateDirectory, cloud);
    await ended;
  } finally {
    await cloud.stop();
    await rm(serversFile(stateDirectory), { force: true });
    await rm(cloudFile(stateDirectory), { force: true });
    unlock();
  }
}

await serve();
process.exit(0); // gRPC channels of clients may hold the loop open
