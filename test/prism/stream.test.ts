import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { startPrism } from '../support/beam-runners.ts';
import type { BeamRunner } from '../support/beam-runners.ts';
import { startExpansionService } from '../support/expansion-service.ts';
import { StreamLab } from '../support/stream-lab.ts';
import type { StreamJob } from '../support/stream-job.ts';
import { commitStream, streamEntries } from '../support/stream-job.ts';
import { EVENTS, landPoll, RECORDS, twoTables } from '../support/streamed-polls.ts';
import { lawRows } from '../support/table-rows.ts';

// The unbounded graph: Pub/Sub by Beam's Java source, fixed windows, late panes. The source's watermark follows a minute behind, so
// that windows end that much later.

const WAIT = { timeout: 240_000, interval: 500 };
const WINDOW_SECONDS = 5;
const LATENESS_SECONDS = 3_600;

/** Messages that somebody else holds while the windows of their time end. */
const HELD = 7;

let lab: StreamLab;
let prism: BeamRunner;
let logs: string;

beforeAll(async () => {
  [lab, prism, logs] = await Promise.all([StreamLab.open(), startPrism(), mkdtemp(path.join(tmpdir(), 'cupel-java-'))]);
});
afterEach(() => lab.user.cleanUp());
afterAll(async () => {
  await Promise.all([lab.close(), prism.stop()]);
  await rm(logs, { recursive: true, force: true });
});

/** A job with a Java worker of its own, which serves no second one. */
async function start(contract: Parameters<StreamLab['start']>[0]): Promise<StreamJob> {
  const java = await startExpansionService(lab.restUrl, 'conformance', logs);
  lab.user.after(() => java.stop());
  return lab.start(contract, {
    runner: [
      ...['--runner=prism', `--job-endpoint=${prism.jobEndpoint}`, `--expansion-service=${java.endpoint}`],
      ...[`--window-seconds=${WINDOW_SECONDS}`, `--allowed-lateness-seconds=${LATENESS_SECONDS}`],
    ],
  });
}

test('windows of a stream, duplicates, ties, older versions and late messages among it: the very table that a batch makes', async () => {
  const { streamed, batch } = twoTables('quakes_prism');
  await Promise.all([streamed, batch].map((of) => publishContract(lab.lake.store, 'cupel-ops', of)));
  await lab.newTopic(60);
  const polls = await Promise.all(Array.from({ length: 6 }, (_, poll) => landPoll(lab.lake.store, streamed, poll)));
  const [late, ...others] = polls.toReversed();

  await lab.publish(streamed, [late!]);
  const { ackIds } = await lab.user.pull(lab.subscription, HELD);
  await lab.user.setDeadline(lab.subscription, ackIds, 600);
  const job = await start(streamed);
  await lab.publish(streamed, [...others, ...others.toReversed()]);
  const sent = RECORDS * (1 + 2 * others.length);

  const published = async (): Promise<number> => {
    if (job.child.exitCode !== null) throw new Error(`the job ended: ${job.stderr()}`);
    return (await streamEntries(lab.lake, streamed)).reduce((sum, { messages }) => sum + messages, 0);
  };
  await expect.poll(published, WAIT).toBe(sent - HELD);
  const onTime = await streamEntries(lab.lake, streamed);

  await lab.user.setDeadline(lab.subscription, ackIds, 0); // so long after their time they are late
  await expect.poll(published, WAIT).toBe(sent);
  const lateEntries = (await streamEntries(lab.lake, streamed)).slice(onTime.length);
  expect(lateEntries.map(({ messages }) => messages)).toEqual([HELD]);
  const { newest = '', at = '' } = lateEntries[0] ?? {};
  expect(Date.parse(at) - Date.parse(newest)).toBeGreaterThan(60_000);
  expect(job.metric('messages_read') - job.metric('messages')).toBe(0); // what a runner drops as too late

  const rows = await lab.batchRows(batch, polls);
  expect(rows).toHaveLength(EVENTS);
  await commitStream(lab.lake, streamed);
  expect(await lawRows(lab.lake, streamed)).toEqual(rows);

  job.child.kill('SIGTERM');
  expect(await job.ended).not.toBe(0); // cancelled is not drained
  expect(job.stderr()).toContain('CANCELLED');
}, 600_000);
