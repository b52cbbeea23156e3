import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { startStorageDoor } from '../support/storage-door.ts';
import type { StorageDoor } from '../support/storage-door.ts';
import { StreamLab } from '../support/stream-lab.ts';
import { landPoll, twoTables } from '../support/streamed-polls.ts';

// A streaming job dies at one exact moment: a write took effect, and the job never learns so. Another job takes over.

let lab: StreamLab;
let door: StorageDoor;
let runs = 0;

beforeAll(async () => {
  lab = await StreamLab.open();
  door = await startStorageDoor(lab.lake.storageUrl);
});
beforeEach(async () => {
  runs += 1;
  await lab.newTopic();
});
afterEach(() => lab.user.cleanUp());
afterAll(async () => {
  await door.stop();
  await lab.close();
});

const MOMENTS: [moment: string, lastWrite: RegExp][] = [
  ['between a refused record and the deltas', /^earthquakes\/[0-9a-f]{64}\//],
  ['between the deltas and the manifest', /^_deltas\/.*\.parquet$/],
  ['between the manifest and the log', /^_deltas\/[^/]+\/[0-9a-f]{64}\.json$/],
  ['between the log and the acknowledgement', /^streams\//],
];

test.each(MOMENTS)(
  'killed %s: the very table that a batch makes',
  async (_, lastWrite) => {
    const { streamed, batch } = twoTables(`kills_${runs}`);
    await Promise.all([streamed, batch].map((contract) => publishContract(lab.lake.store, 'cupel-ops', contract)));
    const polls = await Promise.all(Array.from({ length: 6 }, (__, poll) => landPoll(lab.lake.store, streamed, poll)));
    const rows = await lab.batchRows(batch, polls);
    await lab.publish(streamed, polls);
    const killed = lab.start(streamed, { storageUrl: door.url });
    door.afterWrite(lastWrite, () => killed.child.kill('SIGKILL'));
    expect(await killed.ended).toBe('SIGKILL');
    // What it held comes again, at once instead of when its leases end, to a job that begins in the middle of what that one left.
    await lab.subscription.seek(new Date(0));
    lab.start(streamed);
    await lab.untilRows(streamed, rows);
  },
  180_000,
);
