import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../local/ports.ts';
import { spawnServer } from '../../local/process.ts';
import { toolPath } from '../../scripts/tools.ts';

/** A Beam runner that runs as a server of its own, and dies with us. */
export interface BeamRunner {
  /** As `--runner` names it. */
  name: 'prism' | 'flink';
  /** `host:port` of its job service. */
  jobEndpoint: string;
  stop(): Promise<void>;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const tell = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => tell(true)).once('error', () => tell(false));
  });
}

async function start(
  name: BeamRunner['name'],
  command: (ports: number[], directory: string) => [command: string, ...args: string[]],
): Promise<BeamRunner> {
  const directory = await mkdtemp(path.join(tmpdir(), `cupel-${name}-`));
  const ports = [await freePort(), await freePort(), await freePort()];
  const [program, ...args] = command(ports, directory);
  const server = await spawnServer({
    name,
    command: program,
    args,
    cwd: directory,
    logFile: path.join(directory, `${name}.log`),
    ready: () => listens(ports[0] ?? 0),
    readyTimeoutMs: 180_000, // a JVM among other tests
  });
  return {
    name,
    jobEndpoint: `localhost:${ports[0]}`,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** Starts Prism on free ports. */
export const startPrism = (): Promise<BeamRunner> =>
  start('prism', ([job, web]) => [toolPath('prism'), `-job_port=${job}`, `-web_port=${web}`, '-log_level=warn']);

/** Starts Beam's job server with a Flink inside. */
export const startFlink = (): Promise<BeamRunner> =>
  start('flink', ([job, artifacts, expansion], directory) => [
    'java',
    '--add-opens=java.base/java.util=ALL-UNNAMED',
    '--add-opens=java.base/java.lang=ALL-UNNAMED',
    '-cp',
    path.join(toolPath('flinkJars'), '*'),
    'org.apache.beam.runners.flink.FlinkJobServerDriver',
    '--flink-master=[local]',
    `--artifacts-dir=${path.join(directory, 'artifacts')}`,
    `--job-port=${job}`,
    `--artifact-port=${artifacts}`,
    `--expansion-port=${expansion}`,
  ]);
