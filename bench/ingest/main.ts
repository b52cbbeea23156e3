import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../../local/ports.ts';
import { answers } from '../../local/process.ts';
import { PROJECT } from '../../scripts/tools.ts';
import { publishedContract, startBenchLake } from '../lake.ts';
import type { BenchLake } from '../lake.ts';
import { machineSeconds, peakRssOf } from '../meter/proc.ts';
import { ProcessGroup } from '../meter/process-group.ts';
import { until } from '../peers/support.ts';
import { runMain } from '../run-main.ts';
import { lay } from '../table.ts';
import { signedDeliveries } from './deliveries.ts';
import { load } from './load.ts';
import type { LoadResult } from './load.ts';

const HELP = `Measures the function ingest under signed webhooks in GitHub's shape, beside handlers that only verify the signature.

  npm run bench:ingest -- [options]

  --seconds N      of load on each (default: 20)
  --concurrency N  requests at once (default: 32)
  --bytes N        of a body (default: 8192)
`;

const SECRET = 'a secret of the benchmark';

const SERVERS = {
  bare: path.join(import.meta.dirname, 'bare.ts'),
  framework: path.join(import.meta.dirname, 'framework.ts'),
  ingest: path.join(PROJECT, 'functions/ingest/index.ts'),
};
type Name = keyof typeof SERVERS;

const TITLES: Record<Name, string> = {
  bare: "HMAC only, Node's HTTP server",
  framework: 'HMAC only, functions framework',
  ingest: 'Cupel ingest',
};

interface Load {
  seconds: number;
  concurrency: number;
  bytes: number;
}

/** What a server did under load, and what it took. */
interface Measured {
  result: LoadResult;
  cpuSeconds: number;
  asideCpuSeconds: number;
  otherCpuSeconds: number;
  peakRssMb: number;
}

async function startPubsub(lake: BenchLake, directory: string): Promise<string> {
  const file = path.join(directory, 'pubsub.txt');
  lake.standIns.spawn({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'pubsub.ts'), file],
    logFile: path.join(directory, 'pubsub.log'),
  });
  await until('Pub/Sub', () => readFileSync(file, 'utf8') !== '');
  return readFileSync(file, 'utf8');
}

async function measureServer(
  name: Name,
  env: Record<string, string>,
  standIns: ProcessGroup,
  asked: Load,
  directory: string,
): Promise<Measured> {
  const port = await freePort();
  const group = new ProcessGroup(name);
  group.spawn({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', SERVERS[name]],
    env: { ...env, PORT: String(port) },
    logFile: path.join(directory, `${name}.log`),
  });
  const url = `http://127.0.0.1:${port}/github_events`;
  await until(name, () => answers(url));
  const deliveries = signedDeliveries(64, asked.bytes, SECRET);
  const options = { url, concurrency: asked.concurrency, deliveries };
  await load({ ...options, seconds: 2 }); // connections, caches and compiled code are there in a server that works
  const own = process.cpuUsage();
  const before = { cpu: group.cpuSeconds(), aside: standIns.cpuSeconds(), machine: machineSeconds() };
  const result = await load({ ...options, seconds: asked.seconds });
  const { user, system } = process.cpuUsage(own);
  const cpuSeconds = group.cpuSeconds() - before.cpu;
  const asideCpuSeconds = standIns.cpuSeconds() - before.aside;
  const peakRssMb = peakRssOf(group.pids());
  const used = cpuSeconds + asideCpuSeconds + (user + system) / 1e6;
  await group.close();
  return { result, cpuSeconds, asideCpuSeconds, otherCpuSeconds: machineSeconds() - before.machine - used, peakRssMb };
}

const HEAD = [
  'server',
  'requests/s',
  'median ms',
  'p99 ms',
  'CPU ms/request',
  'stand-ins CPU ms/request',
  'peak RSS MB',
  'other CPU s',
];

function row(name: Name, { result, ...cost }: Measured): string[] {
  const each = (seconds: number): string => ((1000 * seconds) / result.answered).toFixed(2);
  return [
    TITLES[name],
    result.perSecond.toFixed(0),
    result.medianMs.toFixed(1),
    result.p99Ms.toFixed(1),
    each(cost.cpuSeconds),
    each(cost.asideCpuSeconds),
    cost.peakRssMb.toFixed(0),
    cost.otherCpuSeconds.toFixed(1),
  ];
}

/** @throws Error when a delivery got another answer than the expected one: the figures would be of something else */
function checkAnswers(name: Name, { statuses }: LoadResult): void {
  const expected = name === 'ingest' ? '200' : '202';
  const others = Object.entries(statuses).filter(([status]) => status !== expected);
  if (others.length) throw new Error(`${name}: expected ${expected}, found ${JSON.stringify(statuses)}`);
}

/** Cupel against each of the others, a line each. */
function ratios(all: ReadonlyMap<Name, Measured>): string {
  const ingest = all.get('ingest');
  const others = [...all].filter(([name]) => name !== 'ingest');
  const line = ([name, other]: [Name, Measured]): string => {
    const ratio = (of: (one: Measured) => number): string => (ingest ? of(ingest) / of(other) : NaN).toFixed(2);
    const cpu = ratio(({ cpuSeconds, result }) => cpuSeconds / result.answered);
    const [rate, p99] = [ratio(({ result }) => result.perSecond), ratio(({ result }) => result.p99Ms)];
    return `Cupel against ${TITLES[name]}: ${rate} × the requests/s, ${p99} × the p99, ${cpu} × the CPU per request`;
  };
  return others.map(line).join('\n');
}

async function bench(asked: Load, directory: string): Promise<void> {
  const lake = await startBenchLake(directory);
  await publishedContract(lake, 'github_events');
  const secrets = { CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS: SECRET };
  const env = { ...lake.env, ...secrets, PUBSUB_EMULATOR_HOST: await startPubsub(lake, directory) };
  console.error(`bench: load ${loadavg()[0]?.toFixed(2)}; logs in ${directory}`);
  const all = new Map<Name, Measured>();
  for (const name of Object.keys(SERVERS) as Name[]) {
    const measured = await measureServer(name, env, lake.standIns, asked, directory);
    checkAnswers(name, measured.result);
    all.set(name, measured);
  }
  console.log(lay([HEAD, ...[...all].map(([name, measured]) => row(name, measured))]));
  console.log(`\n${ratios(all)}`);
  await lake.stop();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      concurrency: { type: 'string', default: '32' },
      bytes: { type: 'string', default: '8192' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void console.log(HELP);
  const directory = mkdtempSync(path.join(tmpdir(), 'cupel-bench-ingest-'));
  const { seconds, concurrency, bytes } = values;
  await bench({ seconds: Number(seconds), concurrency: Number(concurrency), bytes: Number(bytes) }, directory);
  rmSync(directory, { recursive: true, force: true });
}

await runMain(main);
