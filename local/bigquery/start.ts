import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, toolPath } from '../../scripts/tools.ts';
import { RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { freePort } from '../ports.ts';
import { answers } from '../process.ts';
import { superviseServer } from '../supervise.ts';
import type { SupervisedServer } from '../supervise.ts';
import { BigLakeTables } from './front/biglake-tables.ts';
import { Emulator } from './front/emulator.ts';
import { startFront } from './front/server.ts';
import type { Front } from './front/server.ts';
import { Statements } from './front/statements.ts';

/** BigQuery's settings. */
export interface BigQueryOptions {
  projectId: string;
  logDirectory: string;
  /** Folder that holds `<bucket>/<object>` as files: loads of gs:// URIs read there. */
  storageRoot: string;
  store: ObjectStore;
  catalog: { name: string; uri: string; warehouse: string };
  /** Folder below which datasets outlive a stop. Default: they live in memory. */
  stateDirectory?: string;
  /** Port of the front. Default: a free one. */
  port?: number;
}

/** Starts BigQuery: an emulator, and the front that clients talk to. */
export async function startBigQuery(options: BigQueryOptions): Promise<Front> {
  const { projectId, catalog, store, port } = options;
  const restPort = await freePort();
  const emulatorUrl = `http://127.0.0.1:${restPort}`;
  let restarted = (): void => undefined;
  const server = await startEmulator(options, emulatorUrl, restPort, () => restarted());
  try {
    const emulator = new Emulator(emulatorUrl, projectId);
    const { uri, warehouse } = catalog;
    const tables = new BigLakeTables(emulator, new RestCatalog({ uri, warehouse }), store);
    const statements = new Statements({ projectId, name: catalog.name }, tables);
    const front = await startFront({ emulator, statements, ...(port === undefined ? {} : { port }) });
    restarted = () => {
      tables.forget();
      front.emulatorRestarted();
    };
    return {
      ...front,
      async stop() {
        await front.stop();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function startEmulator(
  options: BigQueryOptions,
  url: string,
  restPort: number,
  restarted: () => void,
): Promise<SupervisedServer> {
  const { projectId, logDirectory, stateDirectory, storageRoot } = options;
  // DuckDB keeps its extensions below HOME: a folder of ours, so that nobody else's are touched.
  const home = path.join(cacheDirectory(), 'bigquery-home');
  await mkdir(home, { recursive: true });
  const settings = {
    'rest-host': '127.0.0.1',
    'rest-port': String(restPort),
    'grpc-host': '127.0.0.1',
    'grpc-port': String(await freePort()),
    project: projectId,
    'log-level': 'warning',
  };
  const args = [path.join(import.meta.dirname, 'server.py'), 'start'];
  for (const [name, value] of Object.entries(settings)) args.push(`--${name}`, value);
  if (stateDirectory !== undefined) {
    const data = path.resolve(stateDirectory, 'bigquery');
    await mkdir(data, { recursive: true });
    args.push('--persistent', '--data-dir', data);
  }
  return superviseServer({
    name: 'BigQuery',
    command: toolPath('bigqueryPython'),
    args,
    env: { HOME: home, BQEMU_GCS_LOCAL_ROOT: storageRoot, PYTHONDONTWRITEBYTECODE: '' },
    logFile: path.join(logDirectory, 'bigquery.log'),
    ready: () => answers(`${url}/healthz`),
    onRestart: () => Promise.resolve(restarted()),
  });
}
