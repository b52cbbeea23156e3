import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { toolPath } from '../../scripts/tools.ts';
import { freePort } from '../ports.ts';
import { answers } from '../process.ts';
import { superviseServer } from '../supervise.ts';

/** The Cloud Storage server's settings. */
export interface StorageOptions {
  stateDirectory: string;
  logDirectory: string;
  /** host:port of Pub/Sub, for notifications of finalized objects. Default: no notifications. */
  pubsubEndpoint?: string;
  /** Default: a free one. */
  port?: number;
  /** Called when the server was started again: its notifications lived in memory. */
  onRestart?: (url: string) => Promise<void>;
}

/** Folder that holds `<bucket>/<object>` as files, to be read only. */
export const storageRoot = (stateDirectory: string): string => path.resolve(stateDirectory, 'storage');

/** A running Cloud Storage server; `root` is its {@link storageRoot}. */
export interface StorageServer {
  url: string;
  root: string;
  stop(): Promise<void>;
}

/** Starts fake-gcs-server on files. */
export async function startStorage(options: StorageOptions): Promise<StorageServer> {
  const port = options.port ?? (await freePort());
  const root = storageRoot(options.stateDirectory);
  await mkdir(root, { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  const server = await superviseServer({
    name: 'Cloud Storage',
    command: toolPath('fakeGcs'),
    args: [
      ...[
        '-scheme',
        'http',
        '-host',
        '127.0.0.1',
        '-port',
        String(port),
        '-backend',
        'filesystem',
        '-filesystem-root',
        root,
      ],
      ...['-external-url', url, '-public-host', `127.0.0.1:${port}`, '-log-level', 'warn'],
    ],
    env: options.pubsubEndpoint ? { PUBSUB_EMULATOR_HOST: options.pubsubEndpoint } : {},
    logFile: path.join(options.logDirectory, 'storage.log'),
    ready: () => answers(`${url}/storage/v1/b?project=ready`),
    onRestart: async () => options.onRestart?.(url),
  });
  return { url, root, stop: () => server.stop() };
}
