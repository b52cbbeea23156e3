import { createHash } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planActivities } from '../../src/activities/plans.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { bronzeName } from '../../src/lakehouse/bronze/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { EventKind, LedgerEvent, LedgerState } from '../../src/lakehouse/ledger/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';

let lake: Lake;
let activities: ReturnType<typeof planActivities>;
let contractUri: string;
const contract = earthquakes();
const events: LedgerEvent[] = [];

/** A ledger in memory: the newest event of each subject. */
const ledger = {
  append(added: LedgerEvent[]) {
    events.push(...added);
    return Promise.resolve();
  },
  latest(_source: string, kinds: EventKind[]) {
    const newest = new Map(events.filter(({ kind }) => kinds.includes(kind)).map((event) => [event.subject, event]));
    const states = [...newest.values()].map(({ kind, subject, state, fingerprint, occurred_at }) => ({
      kind,
      subject,
      state,
      fingerprint,
      occurredAt: occurred_at,
      detail: {},
    }));
    return Promise.resolve(states as LedgerState[]);
  },
};

beforeAll(async () => {
  lake = await startLake();
  contractUri = await publishContract(lake.store, 'cupel-ops', contract);
  const buckets = Object.fromEntries(
    ['bronze', 'silver', 'ops', 'quarantine'].map((name) => [`CUPEL_${name.toUpperCase()}_BUCKET`, `cupel-${name}`]),
  );
  const environment = readEnvironment({ ...buckets, CUPEL_PROJECT: 'cupel-test' });
  activities = planActivities({ ...lake, environment, ledger } as unknown as ActivityResources);
});
afterAll(() => lake.stop());

async function land(feed: string, hour: string, text: string, nameOf = text): Promise<string> {
  const sha256 = createHash('sha256').update(nameOf).digest('hex');
  const name = bronzeName({ source: 'earthquakes', feed, hour, sha256, extension: 'geojson' });
  await lake.store.create(`gs://cupel-bronze/${name}`, text);
  return name;
}

const poll = (generated: number) =>
  JSON.stringify({ type: 'FeatureCollection', metadata: { generated }, features: [] });
const range = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };
const inActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work) as Promise<T>;
const plan = () => inActivity(() => activities.planRange({ ...range, contractUri }));
const validate = (planUri: string) => inActivity(() => activities.validatePlan({ planUri, contractUri }));

test('a plan holds what Bronze holds in the range; whole objects that are bad are refused and kept out', async () => {
  await land('all_hour', '2025-01-01T03', poll(1));
  await land('all_hour', '2025-01-01T07', poll(2));
  const garbage = await land('all_hour', '2025-01-01T07', '<html>busy</html>');
  const corrupt = await land('all_day', '2025-01-01T08', poll(3), 'something else');
  await land('all_hour', '2025-01-02T00', poll(4)); // after the range

  const first = await plan();
  expect(first).toMatchObject({ objects: 4, partitions: 3, donePartitions: 0, toProcess: 4, missingSlots: 3 });
  const { chunks, refused } = await validate(first.planUri);
  expect(refused).toBe(2);
  expect(chunks).toMatchObject([{ objects: 2, published: false }]);

  const states = Object.fromEntries(
    events.filter(({ kind }) => kind === 'arrival').map(({ subject, state }) => [subject.split('#')[0], state]),
  );
  expect([states[garbage], states[corrupt]]).toEqual(['refused', 'refused']);
  const quarantined: Record<string, unknown>[] = [];
  for await (const object of lake.store.list('gs://cupel-quarantine/earthquakes/objects/')) {
    quarantined.push(JSON.parse((await lake.store.read(object.uri)).toString()) as Record<string, unknown>);
  }
  expect(quarantined.map(({ reasonCode }) => reasonCode).sort()).toEqual([
    'CUP_OBJECT_CORRUPT',
    'CUP_OBJECT_UNREADABLE',
  ]);
  expect(JSON.stringify(quarantined)).not.toContain('busy');

  // Once the batch is settled its partitions are done as they were listed, the refused object included.
  const chunk = await lake.deltas.readChunk(chunks[0]?.uri ?? '');
  for (const { partition, fingerprint } of chunk.partitions) {
    await ledger.append([
      {
        event_id: partition,
        kind: 'partition',
        source: 'earthquakes',
        subject: partition,
        state: 'done',
        fingerprint,
        occurred_at: '',
        detail: '{}',
      },
    ]);
  }
  expect(await plan()).toMatchObject({ partitions: 3, donePartitions: 3, toProcess: 0 });

  await land('all_hour', '2025-01-01T03', poll(5)); // a new object makes its partition stale
  expect(await plan()).toMatchObject({ donePartitions: 2, toProcess: 2 });
});
