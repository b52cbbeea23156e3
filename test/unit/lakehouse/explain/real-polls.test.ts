import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { CompiledContract } from '../../../../src/contracts/index.ts';
import { bronzeName, listBronze } from '../../../../src/lakehouse/bronze/index.ts';
import { judge } from '../../../../src/lakehouse/explain/judge.ts';
import { readKey } from '../../../../src/lakehouse/explain/key.ts';
import { scanBronze } from '../../../../src/lakehouse/explain/scan.ts';
import { earthquakes } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';
import { hasRealPolls, realPolls } from '../../../support/real-polls.ts';

const contract: CompiledContract = earthquakes();

interface Feature {
  id?: string;
  properties: { updated: number; url?: string };
}

/** What the test itself sees of a record: no code of ours. */
interface Seen {
  key: string;
  updated: number;
  generated: number;
  text: string;
}

const keyOf = ({ id, properties }: Feature): string => id ?? properties.url?.split('/').at(-1) ?? '';

/** Recorded polls as objects of Bronze, and every record that they hold by key. */
function landed(): { objects: MemoryObjects; byKey: Map<string, Seen[]> } {
  const objects = new MemoryObjects();
  const all: Seen[] = [];
  for (const { bytes } of realPolls()) {
    const poll = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      metadata: { generated: number };
      features: Feature[];
    };
    const { generated } = poll.metadata;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const hour = new Date(generated).toISOString().slice(0, 13);
    const name = bronzeName({ source: 'earthquakes', feed: 'all_day', hour, sha256, extension: 'geojson' });
    void objects.create(`gs://bronze/${name}`, bytes);
    for (const feature of poll.features) {
      const { updated } = feature.properties;
      all.push({ key: keyOf(feature), updated, generated, text: JSON.stringify(feature) });
    }
  }
  return { objects, byKey: Map.groupBy(all, ({ key }) => key) };
}

const isTie = (seen: Seen[]): boolean => {
  const newest = Math.max(...seen.map(({ updated }) => updated));
  return new Set(seen.filter(({ updated }) => updated === newest).map(({ text }) => text)).size > 1;
};

/** Some later answer shows an older version. */
const isLate = (seen: Seen[]): boolean =>
  seen.some((a) => seen.some((b) => b.generated > a.generated && b.updated < a.updated));

test.runIf(hasRealPolls)(
  'real ties, and events whose later poll carried an older version: the record that wins is the right one',
  async () => {
    const { objects, byKey } = landed();
    const keys = [...byKey].filter(([, seen]) => seen.length < 500);
    const ties = keys.filter(([, seen]) => isTie(seen));
    const late = keys.filter(([, seen]) => isLate(seen));
    expect(ties.length).toBeGreaterThan(0); // the recorded weeks have some; older versions in later polls are rarer
    const some = [...ties.slice(0, 3), ...late.slice(0, 3), ...keys.slice(0, 1)];
    const range = { from: new Date('2000-01-01T00:00:00Z'), to: new Date('2100-01-01T00:00:00Z') };
    const listed = await listBronze(objects.store, 'bronze', contract, range);
    for (const [key, seen] of some) {
      const resources = { store: objects.store, bronzeBucket: 'bronze', progress: () => undefined };
      const { records, unreadable } = await scanBronze(resources, contract, readKey(contract, key), listed);
      expect(unreadable).toEqual([]);
      expect(records).toHaveLength(seen.length);
      const rows = records.flatMap(({ made }) => ('row' in made ? [{ of: made.row, row: made.row }] : []));
      expect(rows).toHaveLength(seen.length);
      const { row, ranked } = judge(contract, rows)!;
      const newest = Math.max(...seen.map(({ updated }) => updated));
      const latest = Math.max(...seen.filter(({ updated }) => updated === newest).map(({ generated }) => generated));
      expect([row.updated_at, row._carrier_order]).toEqual([BigInt(newest) * 1000n, BigInt(latest) * 1000n]);
      for (const { of, lostBy } of ranked.slice(1)) {
        const part = of.updated_at !== row.updated_at ? 'updated_at' : '_carrier_order';
        if (of._carrier_order !== row._carrier_order) expect(lostBy?.part).toBe(part);
      }
    }
  },
  120_000,
);
