import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { PROJECT } from '../../scripts/tools.ts';
import { tableName } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { contractUri } from '../../src/lakehouse/contract-store.ts';
import { StreamLog } from '../../src/lakehouse/streams/index.ts';
import type { StreamEntry } from '../../src/lakehouse/streams/index.ts';
import { BUCKETS } from './kappa-job.ts';
import type { Lake } from './lake.ts';

/** A streaming job that runs as the Dataflow server starts it. */
export interface StreamJob {
  child: ChildProcess;
  /** Lines of standard error so far. */
  stderr(): string;
  /** The newest value of a metric. */
  metric(name: string): number;
  /** Resolves with exit code or signal. */
  ended: Promise<number | NodeJS.Signals>;
}

/** Starts `beam/stream.ts`. */
export function startStreamJob(
  lake: Lake,
  contract: CompiledContract,
  subscription: string,
  env: Record<string, string | undefined>,
  report?: string,
  options: string[] = [],
): StreamJob {
  const args = [
    `--contract=${contractUri('cupel-ops', contract.source, contract.hash)}`,
    `--subscription=${subscription}`,
    ...(report ? [`--report=${report}`] : []),
    ...options,
  ];
  const all = { ...process.env, ...BUCKETS, CUPEL_STORAGE_ENDPOINT: lake.storageUrl, ...env };
  const child = spawn(process.execPath, [path.join(PROJECT, 'beam/stream.ts'), ...args], { env: all });
  let stderr = '';
  const metrics = new Map<string, number>();
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdout.on('data', (data: Buffer) => {
    for (const [, name, value] of data.toString().matchAll(/"metric":"(\w+)","value":(\d+)/g))
      metrics.set(name ?? '', Number(value));
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 1)),
  );
  return { child, stderr: () => stderr, metric: (name) => metrics.get(name) ?? 0, ended };
}

/** Every entry of a stream's log that is of the contract's table, in order. */
export async function streamEntries(lake: Lake, contract: CompiledContract): Promise<StreamEntry[]> {
  const log = new StreamLog(lake.store, 'cupel-ops', contract.source);
  const { first, next } = await log.bounds();
  const entries = await Promise.all(Array.from({ length: next - first }, (_, index) => log.read(first + index)));
  return entries.filter((entry) => entry?.table === tableName(contract)) as StreamEntry[];
}

/** Commits what a stream has published, as its supervisor has it done. */
export async function commitStream(lake: Lake, contract: CompiledContract): Promise<void> {
  const batchIds = (await streamEntries(lake, contract)).map(({ batchId }) => batchId);
  for (let at = 0; at < batchIds.length; at += 50) await commitWaiting(lake, contract, batchIds.slice(at, at + 50));
}
