import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, toolPath } from '../../scripts/tools.ts';
import { RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { freePort } from '../ports.ts';
import { answers, spawnServer } from '../process.ts';
import { BigLakeTables } from './front/biglake-tables.ts';
import { Emulator } from './front/emulator.ts';
import { startFront } from './front/server.ts';
import { Statements } from './front/statements.ts';

/** BigQuery's settings. */
export interface BigQueryOptions {
  projectId: string;
  logDirectory: string;
  /** Folder that holds `<bucket>/<object>` as files: loads of gs:// URIs read there. */
  storageRoot: string;
  store: ObjectStore;
  catalog: { name: string; uri: string; warehouse: string };
  /** Port of the front. Default: a free one. */
  port?: number;
}

/** Starts BigQuery: an emulator in memory, and the front that clients talk to. */
export async function startBigQuery(options: BigQueryOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const [restPort, grpcPort] = await Promise.all([freePort(), freePort()]);
  const emulatorUrl = `http://127.0.0.1:${restPort}`;
  // DuckDB keeps its extensions below HOME: a folder of ours, so that nobody else's are touched.
  const home = path.join(cacheDirectory(), 'bigquery-home');
  await mkdir(home, { recursive: true });
  const emulator = await spawnServer({
    name: 'BigQuery',
    command: toolPath('bigqueryPython'),
    args: [
      ...[
        path.join(import.meta.dirname, 'server.py'),
        'start',
        '--rest-host',
        '127.0.0.1',
        '--rest-port',
        String(restPort),
      ],
      ...[
        '--grpc-host',
        '127.0.0.1',
        '--grpc-port',
        String(grpcPort),
        '--project',
        options.projectId,
        '--log-level',
        'warning',
      ],
    ],
    env: { HOME: home, BQEMU_GCS_LOCAL_ROOT: options.storageRoot, PYTHONDONTWRITEBYTECODE: '' },
    logFile: path.join(options.logDirectory, 'bigquery.log'),
    ready: () => answers(`${emulatorUrl}/healthz`),
  });
  const { name, uri, warehouse } = options.catalog;
  const tables = new BigLakeTables(
    new Emulator(emulatorUrl, options.projectId),
    new RestCatalog({ uri, warehouse }),
    options.store,
  );
  const front = await startFront({
    emulatorUrl,
    statements: new Statements(name, tables),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return {
    url: front.url,
    async stop() {
      await front.stop();
      await emulator.stop();
    },
  };
}
