import { parseArgs } from 'node:util';

/** Tools that Cupel is put beside. */
export const PEERS = ['airflow', 'dagster', 'prefect'] as const;
export type Peer = (typeof PEERS)[number];

/** What the benchmark was asked. */
export interface BenchOptions {
  peers: Peer[];
  /** Partitions of Cupel's backfill. */
  partitions: number;
  /** Partitions of a peer's: fewer, since each takes a second. */
  peerPartitions: number;
  concurrency: number;
  /** Whether the executing processes are killed in a further run. */
  kill: boolean;
  /** Milliseconds that a step sleeps in the runs with a kill. */
  stepMs: number;
  /** Whether Cupel itself runs. */
  cupel: boolean;
  /** File that gets a JSON line per run. */
  report: string;
}

export const HELP = `Measures what a backfill costs when its steps do nothing: Cupel's own workflows on Temporal, and beside it others.

  npm run bench -- [options]

  --peers LIST         of airflow, dagster, prefect; each is installed into the cache folder (default: none)
  --partitions N       of Cupel's backfill (default: 200)
  --peer-partitions N  of a peer's (default: 60)
  --concurrency N      partitions at once, for all (default: 8)
  --kill               a further run with steps of 200 ms, whose executing processes get kill -9 half-way
  --step-ms N          other steps than 200 ms for --kill
  --only-peers         without Cupel
  --report FILE        add a JSON line per run (default: .cupel/bench.jsonl)
`;

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: expected a whole number above 0, found ${text}`);
  return value;
}

function peersOf(list: string): Peer[] {
  const names = list.split(',').filter(Boolean);
  const unknown = names.find((name) => !PEERS.some((peer) => peer === name));
  if (unknown) throw new Error(`--peers: expected some of ${PEERS.join(',')}, found ${unknown}`);
  return PEERS.filter((peer) => names.includes(peer));
}

/**
 * Reads the benchmark's arguments; undefined: help was asked for.
 *
 * @throws Error that names the argument and what was expected
 */
export function readOptions(args: string[]): BenchOptions | undefined {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args,
    options: {
      peers: text(''),
      partitions: text('200'),
      'peer-partitions': text('60'),
      concurrency: text('8'),
      kill: flag,
      'step-ms': text('200'),
      'only-peers': flag,
      report: text('.cupel/bench.jsonl'),
      help: { ...flag, short: 'h' },
    },
  });
  if (values.help) return undefined;
  return {
    peers: peersOf(values.peers),
    partitions: count('partitions', values.partitions),
    peerPartitions: count('peer-partitions', values['peer-partitions']),
    concurrency: count('concurrency', values.concurrency),
    kill: values.kill,
    stepMs: count('step-ms', values['step-ms']),
    cupel: !values['only-peers'],
    report: values.report,
  };
}
