import { connect } from 'node:net';
import path from 'node:path';
import { freePort } from '../../local/ports.ts';
import { spawnServer } from '../../local/process.ts';
import { toolPath } from '../../scripts/tools.ts';

/** Beam's Java expansion service, with a worker for what it expands. It serves one job: its worker ends with that. */
export interface ExpansionService {
  /** host:port */
  endpoint: string;
  logFile: string;
  stop(): Promise<void>;
}

/** What serialising Java's own collections needs from Java 17 on. */
const OPEN = ['java.base/java.util=ALL-UNNAMED', 'java.base/java.lang=ALL-UNNAMED'];

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  }).then((open) => open === true);
}

/**
 * Starts it.
 *
 * @param pubsubUrl where the source finds Pub/Sub's REST API
 */
export async function startExpansionService(
  pubsubUrl: string,
  projectId: string,
  logDirectory: string,
): Promise<ExpansionService> {
  const port = await freePort();
  const jars = toolPath('expansionJars');
  const logFile = path.join(logDirectory, `expansion-service-${port}.log`);
  const server = await spawnServer({
    name: 'Java expansion service',
    command: 'java',
    args: [
      ...['-Xmx768m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...OPEN.flatMap((packages) => ['--add-opens', packages]),
      ...['-cp', `${jars}/classes:${jars}/lib/*`, 'ExpansionServer'],
      ...[String(port), '--alsoStartLoopbackWorker=true', `--pubsubRootUrl=${pubsubUrl}`, `--project=${projectId}`],
    ],
    logFile,
    ready: () => listens(port),
  });
  return { endpoint: `127.0.0.1:${port}`, logFile, stop: () => server.stop() };
}
