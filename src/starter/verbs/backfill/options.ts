import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { BackfillInput } from '../../../workflows/backfill/messages.ts';

/** What a person can say of a backfill. */
export type BackfillOptions = Pick<
  BackfillInput,
  | 'from'
  | 'to'
  | 'mode'
  | 'reprocess'
  | 'order'
  | 'chunkBytes'
  | 'maxConcurrency'
  | 'publish'
  | 'approval'
  | 'dependsOnPast'
>;

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Reads a size such as 500M or 2G. */
export function readSize(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (!number || !factor) throw new InvalidArgumentError('expected a size such as 500M or 2G');
  return Math.round(Number(number) * factor);
}

/** Reads a whole number above 0. */
export function readCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

/** The options that a plan has. */
export function planOptions(command: Command): Command {
  return command
    .argument('<source>', 'name of a contract')
    .requiredOption('--from <time>', "start of the range, included; a date is its midnight in the contract's zone")
    .requiredOption('--to <time>', 'end of the range, not included')
    .addOption(
      new Option('--mode <mode>', 'from Bronze, or from the origin for what gaps lost')
        .choices(['replay', 'pull'])
        .default('replay'),
    )
    .addOption(
      new Option('--reprocess <what>', 'which partitions; each takes those before it too')
        .choices(['missing', 'failed', 'stale', 'all'])
        .default('stale'),
    )
    .addOption(new Option('--order <order>', 'which first').choices(['oldest', 'newest']).default('oldest'))
    .option('--chunk-bytes <size>', 'Bronze per job, such as 500M; default 2G', readSize);
}

/** The input that options make. */
export function inputOf(source: string, options: BackfillOptions): BackfillInput {
  const { from, to, mode, reprocess, order, chunkBytes, maxConcurrency, publish, approval, dependsOnPast } = options;
  const given = { mode, reprocess, order, chunkBytes, maxConcurrency, publish, approval, dependsOnPast };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { source, from, to, ...(said as Partial<BackfillInput>) };
}
