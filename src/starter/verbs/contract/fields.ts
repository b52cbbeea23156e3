import type { Command } from 'commander';
import type { LedgerState } from '../../../lakehouse/ledger/index.ts';
import { answer } from '../../output.ts';
import { contractOf, withResources } from '../../session.ts';

const EXAMPLES = `
Examples:
  $ cupel contract fields earthquakes          # members of records that the contract does not know
  $ cupel contract fields earthquakes --json`;

/** A member that the contract does not know. */
interface CountedField {
  field: string;
  /** Records of all settled batches that have it. */
  records: number;
  /** RFC 3339: when the last such batch was settled. */
  lastSeen: string;
}

/** Sums over batches, the most frequent first. */
export function countFields(batches: Pick<LedgerState, 'detail' | 'occurredAt'>[]): CountedField[] {
  const counted = new Map<string, CountedField>();
  for (const { detail, occurredAt } of batches) {
    for (const { field, records } of (detail.unknownFields ?? []) as { field: string; records: number }[]) {
      const of = counted.get(field) ?? { field, records: 0, lastSeen: occurredAt };
      of.records += records;
      if (occurredAt > of.lastSeen) of.lastSeen = occurredAt;
      counted.set(field, of);
    }
  }
  return [...counted.values()].sort((a, b) => b.records - a.records || (a.field < b.field ? -1 : 1));
}

/** `cupel contract fields SOURCE`. */
export function fieldsCommand(contract: Command): void {
  contract
    .command('fields')
    .description('list the members of records that the contract does not know, with their numbers')
    .argument('<source>', 'name of the contract')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: { json?: boolean }) =>
      withResources(async (resources) => {
        const { unknownFields: policy = 'discard_value' } = await contractOf(resources, source);
        const fields = countFields(await resources.ledger.latest(source, ['batch']));
        const lines = fields.map(
          ({ field, records, lastSeen }) => `${String(records).padStart(10)}  ${lastSeen}  ${field}`,
        );
        const last = `${fields.length} fields that the contract does not know; unknownFields: ${policy}`;
        answer(options, { source, policy, fields }, [...lines, last]);
      }),
    );
}
