import { createConnection } from 'node:net';
import path from 'node:path';
import { toolPath } from '../../scripts/tools.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/search-attributes.ts';
import { freePort } from '../ports.ts';
import { answers } from '../process.ts';
import { superviseServer } from '../supervise.ts';

/** Temporal's settings. */
export interface TemporalOptions {
  stateDirectory: string;
  logDirectory: string;
  namespace: string;
  /** Ports of gRPC and of the Web UI. Default: free ones. */
  port?: number;
  uiPort?: number;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Starts Temporal's development server with its Web UI; what it knows is kept in one SQLite file. */
export async function startTemporal(
  options: TemporalOptions,
): Promise<{ address: string; uiUrl: string; stop(): Promise<void> }> {
  const [port, uiPort, httpPort, metricsPort] = await Promise.all([
    options.port ?? freePort(),
    options.uiPort ?? freePort(),
    freePort(),
    freePort(),
  ]);
  const attributes = Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  const uiUrl = `http://127.0.0.1:${uiPort}`;
  const server = await superviseServer({
    name: 'Temporal',
    command: toolPath('temporal'),
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--http-port', String(httpPort)],
      ...['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort), '--metrics-port', String(metricsPort)],
      ...[
        '--db-filename',
        path.resolve(options.stateDirectory, 'temporal.db'),
        '--namespace',
        options.namespace,
        '--log-level',
        'warn',
      ],
      ...attributes,
    ],
    logFile: path.join(options.logDirectory, 'temporal.log'),
    ready: async () => (await listens(port)) && answers(`${uiUrl}/`),
  });
  return { address: `127.0.0.1:${port}`, uiUrl, stop: () => server.stop() };
}
