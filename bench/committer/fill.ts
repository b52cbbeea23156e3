// fill.ts CONTRACT_URI ROWS: a table of so many rows in one file per bucket, through the committer itself.
import { commitWaiting, compact } from '../../src/lakehouse/committer/index.ts';
import { readContract } from '../../src/lakehouse/contract-store.ts';
import { committerResources } from './resources.ts';
import { eventRow, publishRows } from './rows.ts';

/** Rows of one batch: what memory holds at once. */
const BATCH = 125_000;

const [contractUri = '', rows = ''] = process.argv.slice(2);
const resources = await committerResources();
const contract = await readContract(resources.store, contractUri);
for (let from = 0; from < Number(rows); from += BATCH) {
  const count = Math.min(BATCH, Number(rows) - from);
  const batch = Array.from({ length: count }, (_, index) => eventRow(contract, from + index, 0));
  const { batchId } = await publishRows(resources, contract, `fill ${from}`, batch);
  await commitWaiting(resources, contract, [batchId]);
}
await compact(resources, contract, { minFiles: 2 });
