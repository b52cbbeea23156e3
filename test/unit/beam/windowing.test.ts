import { createRequire } from 'node:module';
import { protos } from '@google-cloud/pubsub';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beam, fixedWindows } from '../../../beam/sdk.ts';
import { isWhole } from '../../../beam/sinks/open-batch.ts';
import { decodeMessage } from '../../../beam/streaming/pubsub-message.ts';
import { intoWindows } from '../../../beam/streaming/windows.ts';
import { noCounts } from '../../../beam/threads/counts.ts';
import { fromKey, toKey } from '../../../beam/threads/keys.ts';
import type { ManifestPart } from '../../../beam/threads/messages.ts';
import type { Chunk } from '../../../src/lakehouse/deltas/index.ts';

interface Proto {
  components: {
    pcollections: Record<string, { windowingStrategyId: string }>;
    windowingStrategies: Record<
      string,
      { allowedLateness: bigint; windowFn: { urn: string }; accumulationMode: number }
    >;
  };
}

interface PipelineModule {
  Pipeline: new () => { getProto(): Proto };
}

const require = createRequire(import.meta.url);
const { Pipeline } = require('apache-beam/internal/pipeline') as PipelineModule;
const { Root } = require('apache-beam') as { Root: new (pipeline: unknown) => InstanceType<typeof beam.Root> };

type Elements = ReturnType<InstanceType<typeof beam.Root>['apply']>;

interface Applicable {
  apply(transform: unknown): Elements;
}

/** The windowing that a step gives to its output, and what comes of a step after it. */
function strategies(into: (input: never) => Elements): Proto['components']['windowingStrategies'][string][] {
  const pipeline = new Pipeline();
  const windowed = into(new Root(pipeline).apply(beam.create(['a'])) as never) as unknown as {
    getId(): string;
    map(fn: (text: string) => string): { getId(): string };
  };
  const after = windowed.map((text) => text);
  const { pcollections, windowingStrategies } = pipeline.getProto().components;
  return [windowed, after].map(
    (of) => windowingStrategies[pcollections[of.getId()]?.windowingStrategyId ?? ''] as never,
  );
}

test('windows take late elements as long as they are told to, also after further steps; those of the SDK alone take none', () => {
  const options = { windowSeconds: 5, allowedLatenessSeconds: 3_600 };
  for (const strategy of strategies((input) => intoWindows('w', input, options) as Elements))
    expect(strategy).toMatchObject({
      allowedLateness: 3_600_000n,
      windowFn: { urn: 'beam:window_fn:fixed_windows:v1' },
      accumulationMode: 1, // discarding: a late pane holds only what is late
    });
  const alone = strategies((input) =>
    (input as unknown as Applicable).apply(beam.windowInto(fixedWindows(5) as never)),
  );
  expect(alone[0]?.allowedLateness).toBe(0n);
});

test('a message of the Java source is read with its id, attributes and data; its time is that of the element', () => {
  const { PubsubMessage } = protos.google.pubsub.v1;
  const bytes = PubsubMessage.encode({ messageId: '7', attributes: { a: 'ü' }, data: Buffer.from([0, 255]) }).finish();
  expect(decodeMessage(bytes, 1_750_027_960_897)).toEqual({
    id: '7',
    publishTime: '1750027960897000',
    attributes: { a: 'ü' },
    data: 'AP8=',
  });
});

test('a message whose id the source has lost is named by its content and its time, in every delivery the same', () => {
  const { PubsubMessage } = protos.google.pubsub.v1;
  const of = (data: string, ms: number): string =>
    decodeMessage(PubsubMessage.encode({ data: Buffer.from(data) }).finish(), ms).id;
  expect(of('a', 1)).toBe(of('a', 1));
  expect(new Set([of('a', 1), of('a', 2), of('b', 1)]).size).toBe(3);
});

test('keys say what they group, and of which batch', () => {
  const batch = { batchId: 'b', table: 't', stage: 'gs://x/y' };
  for (const key of [{ of: '3' }, { of: 'counts', batch }]) expect(fromKey(toKey(key))).toEqual(key);
  expect(toKey({ of: '3' })).toBe('3');
});

/** Parts of a batch: bundles that counted, and buckets that were merged. */
const partsArbitrary = fc
  .array(fc.record({ quarantined: fc.nat(5), reduced: fc.nat(5), buckets: fc.array(fc.integer({ min: 1, max: 9 })) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((bundles) =>
    bundles.flatMap(({ quarantined, reduced, buckets }, index): ManifestPart[] => {
      const rows = buckets.reduce((sum, of) => sum + of, 0);
      const recordsIn = quarantined + reduced + rows;
      const counted = { recordsIn, quarantined, reduced, rows: 0 };
      return [
        { counts: { ...noCounts(), byPartition: { stream: counted } }, bundle: String(index) },
        ...buckets.map((of) => {
          const merged = { recordsIn: 0, quarantined: 0, reduced: of - 1, rows: 1 };
          return { counts: { ...noCounts(), byPartition: { stream: merged } } };
        }),
      ];
    }),
  );

test('only all parts of a batch account for its messages', () => {
  const law = fc.property(partsArbitrary, fc.infiniteStream(fc.boolean()), (parts, keep) => {
    const messages = parts.reduce((sum, { counts }) => sum + (counts.byPartition.stream?.recordsIn ?? 0), 0);
    const chunk = { stream: { messages, oldest: '', newest: '' } } as Chunk;
    expect(isWhole(chunk, parts)).toBe(true);
    const some = parts.filter(() => keep.next().value);
    const tells = ({ counts }: ManifestPart): boolean =>
      Object.values(counts.byPartition.stream ?? {}).some((count) => count > 0);
    // A part without any record says nothing that would be missed.
    const complete = parts.every((part) => some.includes(part) || !tells(part));
    expect(isWhole(chunk, some)).toBe(complete);
  });
  fc.assert(law);
});
