import path from 'node:path';
import { toolPath } from '../../scripts/tools.ts';
import { freePort } from '../ports.ts';
import { answers } from '../process.ts';
import { superviseServer } from '../supervise.ts';

/** The Iceberg REST catalog's settings. */
export interface CatalogOptions {
  /** Folder of its SQLite file. */
  stateDirectory: string;
  logDirectory: string;
  /** Such as `gs://cupel-silver`. */
  warehouse: string;
  projectId: string;
  /** URL of the Cloud Storage server. */
  storageUrl: string;
  /** Default: a free one. */
  port?: number;
}

/** Starts Apache's reference catalog: JDBC on SQLite, files through Cloud Storage. */
export async function startCatalog(options: CatalogOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const port = options.port ?? (await freePort());
  const jars = toolPath('catalogJars');
  const properties = {
    'catalog-impl': 'org.apache.iceberg.jdbc.JdbcCatalog',
    uri: `jdbc:sqlite:${path.resolve(options.stateDirectory, 'catalog.db')}`,
    warehouse: options.warehouse,
    'io-impl': 'org.apache.iceberg.gcp.gcs.GCSFileIO',
    'gcs.service.host': options.storageUrl,
    'gcs.no-auth': 'true',
    'gcs.project-id': options.projectId,
    'jdbc.schema-version': 'V1',
  };
  const url = `http://127.0.0.1:${port}`;
  const server = await superviseServer({
    name: 'Iceberg REST catalog',
    command: 'java',
    // Small heap and quick start: one client, few tables.
    args: [
      ...[
        '-Xmx512m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-Xshare:auto',
      ],
      ...['-cp', `${jars}/classes:${jars}/lib/*`, 'CatalogServer', String(port)],
      ...Object.entries(properties).map(([name, value]) => `${name}=${value}`),
    ],
    logFile: path.join(options.logDirectory, 'catalog.log'),
    ready: () => answers(`${url}/v1/config`),
  });
  return { url, stop: () => server.stop() };
}
