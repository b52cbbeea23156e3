import type { DeltaStore } from '../deltas/index.ts';
import { batchEvents } from './batch-events.ts';
import type { Ledger } from './ledger.ts';

/**
 * Makes the ledger of a table anew from manifests and their outcomes. Arrivals come again as objects are validated, and
 * Gold is made again, since its tables are not ours to vouch for.
 *
 * @returns number of events
 */
export async function rebuildLedger(
  ledger: Ledger,
  deltas: DeltaStore,
  source: string,
  table: string,
): Promise<number> {
  let written = 0;
  for (const { batchId, at } of await deltas.listSettled(table)) {
    const events = await batchEvents(deltas, source, table, batchId, at);
    await ledger.append(events);
    written += events.length;
  }
  return written;
}
