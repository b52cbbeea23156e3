import type { DeltaStore } from '../deltas/index.ts';
import { batchEvents, settledEvents } from './batch-events.ts';
import type { Ledger } from './ledger.ts';

/**
 * Makes the ledger of a table anew from manifests and their outcomes, and from the rolls of those that were swept. Arrivals come
 * again as objects are validated, and Gold is made again, since its tables are not ours to vouch for.
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
  for (const roll of await deltas.listRolls(table)) {
    const swept = await deltas.readRoll(roll);
    const events = swept.flatMap(({ manifest, done, at }) => settledEvents(source, manifest, done, new Date(at)));
    await ledger.append(events);
    written += events.length;
  }
  for (const { batchId, at } of await deltas.listSettled(table)) {
    const events = await batchEvents(deltas, source, table, batchId, at);
    await ledger.append(events);
    written += events.length;
  }
  return written;
}
