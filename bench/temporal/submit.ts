// Starts the backfill and waits for its end. Arguments: partitions, partitions at once.
import { Client, Connection } from '@temporalio/client';
import { temporalSettings } from '../../src/temporal.ts';
import { backfillId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { rangeOf, SOURCE } from './setting.ts';

const [partitions = 0, maxConcurrency = 0] = process.argv.slice(2).map(Number);
const { namespace, ...address } = temporalSettings();
const connection = await Connection.connect(address);
const client = new Client({ connection, namespace });
const { from, to } = rangeOf(partitions);
const result = await client.workflow.execute<(input: object) => Promise<unknown>>('backfill', {
  workflowId: backfillId(SOURCE, from, to),
  taskQueue: TASK_QUEUE,
  // A chunk per partition: the smallest chunk is a whole one.
  args: [{ source: SOURCE, from, to, maxConcurrency, chunkBytes: 1 }],
});
console.log(JSON.stringify(result));
await connection.close();
