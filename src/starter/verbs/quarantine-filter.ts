import type { Command } from 'commander';
import type { QuarantineFilter } from '../../lakehouse/quarantine/index.ts';
import { canonicalTime } from '../../workflows/range.ts';

/** Options by which a command says which refused records it means. */
export interface FilterOptions {
  reason?: string[];
  from?: string;
  to?: string;
  feed?: string;
}

/** Adds the options to a command. */
export function addFilter(command: Command): Command {
  return command
    .option('--reason <code...>', 'only these reason codes (docs/quarantine.md). Default: all')
    .option('--from <time>', 'only nominal hours from here on, UTC; a date is its midnight')
    .option('--to <time>', 'only nominal hours before, UTC')
    .option('--feed <name>', 'only this feed');
}

/** What the options say. */
export function filterOf({ reason, from, to, feed }: FilterOptions): QuarantineFilter {
  return {
    ...(reason ? { reasons: reason } : {}),
    ...(from === undefined ? {} : { from: canonicalTime(from) }),
    ...(to === undefined ? {} : { to: canonicalTime(to) }),
    ...(feed === undefined ? {} : { feed }),
  };
}
