import type { CompiledContract } from '../types.ts';
import { differences, saysDefault } from './differences.ts';
import type { ValueDifference } from './differences.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule, ContractChange } from './types.ts';

const WHY: Record<string, string> = {
  'messaging.rawTable': 'who reads the old table of raw would see nothing new',
  'messaging.rawColumns': 'the table of raw that is there keeps its columns',
};

/**
 * Order of delivery decides nothing under the Kappa law, and a new topic or table only adds; what stands in the way is a table
 * of Bronze in BigQuery that is there and that others read.
 */
function judged(change: ValueDifference, { messaging }: CompiledContract): ContractChange {
  const why = WHY[change.path];
  const said = change.path === 'messaging.rawColumns' && saysDefault(change, 'message');
  return why && messaging?.rawTable && !said ? breaking(change, why) : compatible(change);
}

/** Where Pub/Sub carries the records. Columns of a table of raw follow the contract's: they are told as `columns` and `mapping`. */
export const messagingChanges: ChangeRule = (from, to) =>
  differences('messaging', from.messaging ?? {}, to.messaging ?? {}).map((change) => judged(change, from));
