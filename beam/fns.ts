import { randomUUID } from 'node:crypto';
import { GLOBAL, inPlace, placeOf, requireForSerialization } from './sdk.ts';
import type { KeyedText, Place, PlaceContext } from './sdk.ts';
import { publishManifest } from './sinks/manifest.ts';
import { publishOpenBatch } from './sinks/open-batch.ts';
import { fromKey, toKey } from './threads/keys.ts';
import type { GroupKey } from './threads/keys.ts';
import type {
  BatchReference,
  Counts,
  JobParameters,
  KappaParameters,
  ManifestPart,
  SourceElement,
} from './threads/messages.ts';
import { poolOf } from './threads/pool.ts';

// DoFns are sent to workers as data: fields that are set in the constructor must be plain, the rest is made per bundle.

/** Key of what is no bucket: the counts of a bundle. */
const COUNTS = 'counts';

/** Key of a batch's parts. */
const MANIFEST = 'manifest';

/** Collects the work of a bundle; the first failure shows when the bundle is finished. */
class Work<T> {
  readonly #promises: Promise<T>[] = [];

  add(promise: Promise<T>): void {
    promise.catch(() => undefined); // it is awaited in all()
    this.#promises.push(promise);
  }

  all(): Promise<T[]> {
    return Promise.all(this.#promises);
  }
}

/** What a bundle parses of one batch. */
interface Parsing {
  bundle: string;
  /** Unset: it is the job's. */
  batch?: BatchReference;
  place: Place;
  work: Work<null>;
}

const beginParsing = (place: Place, batch?: BatchReference): Parsing => ({
  bundle: randomUUID(),
  place,
  work: new Work(),
  ...(batch ? { batch } : {}),
});

/** What a batch's reference is, given or brought along. */
function batchOf({ batch: ofJob }: KappaParameters, own: BatchReference | undefined): BatchReference {
  const batch = own ?? ofJob;
  if (!batch) throw new Error('an element without a batch, in a job that has none');
  return batch;
}

/** Objects of Bronze or blocks of messages, as JSON → blocks of rows or references to them, by bucket. No row crosses the runner by itself. */
export class ParseBlocks {
  readonly parameters: KappaParameters;
  batches: Map<string, Parsing> = new Map();

  constructor(parameters: KappaParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    // Also a bundle without elements tells its counts, so that a batch of nothing has a manifest.
    this.batches = new Map(this.parameters.batch ? [['', beginParsing(GLOBAL)]] : []);
  }

  process(json: string, context: PlaceContext): void {
    const element = JSON.parse(json) as SourceElement;
    const own = 'staged' in element ? element.batch : undefined;
    const name = own?.stage ?? '';
    const parsing = this.batches.get(name) ?? beginParsing(placeOf(context), own);
    this.batches.set(name, parsing);
    const { bundle, work } = parsing;
    const batch = batchOf(this.parameters, own);
    const place = 'place' in element ? element.place : undefined;
    work.add(poolOf(this.parameters).ask({ op: 'parse', batch, bundle, element }, place));
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    for (const { bundle, batch, place, work } of this.batches.values()) {
      const flushed = poolOf(this.parameters).askAll({ op: 'flush', bundle });
      flushed.catch(() => undefined); // it is awaited below, unless an object could not be parsed
      await work.all();
      const key = (of: string): string => toKey({ of, ...(batch ? { batch } : {}) });
      for (const { blocks, counts } of await flushed) {
        for (const { bucket, block: value } of blocks)
          yield inPlace<KeyedText>(place, { key: key(String(bucket)), value });
        yield inPlace<KeyedText>(place, { key: key(COUNTS), value: JSON.stringify(counts) });
      }
    }
  }
}

/** A part of a manifest, on its way. */
interface MergedPart {
  key: GroupKey;
  place: Place;
  part: ManifestPart;
}

/** Blocks of one bucket → its delta. Counts pass through. */
export class MergeBlocks {
  readonly parameters: KappaParameters;
  work: Work<MergedPart> | null = null;

  constructor(parameters: KappaParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    this.work = new Work();
  }

  process({ key: text, value }: { key: string; value: Iterable<string> }, context: PlaceContext): void {
    const values = [...value];
    const { of, batch: own } = fromKey(text);
    const key = { ...fromKey(text), of: MANIFEST };
    const place = placeOf(context);
    if (of === COUNTS) {
      for (const counts of values) {
        const part = { counts: JSON.parse(counts) as Counts, bundle: randomUUID() };
        this.work?.add(Promise.resolve({ key, place, part }));
      }
      return;
    }
    const batch = batchOf(this.parameters, own);
    const merged = poolOf(this.parameters).ask({ op: 'merge', batch, bucket: Number(of), blocks: values });
    this.work?.add(merged.then((part) => ({ key, place, part })));
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    for (const { key, place, part } of (await this.work?.all()) ?? [])
      yield inPlace<KeyedText>(place, { key: toKey(key), value: JSON.stringify(part) });
  }
}

/** All parts of the batch → the manifest, written last and create-only. */
export class PublishManifest {
  readonly parameters: KappaParameters;

  constructor(parameters: KappaParameters) {
    this.parameters = parameters;
  }

  async process({ key, value }: { key: string; value: Iterable<string> }): Promise<void> {
    const parts = [...value].map((part) => JSON.parse(part) as ManifestPart);
    const { batch } = fromKey(key);
    if (batch) await publishOpenBatch(this.parameters, batch, parts);
    else await publishManifest(this.parameters as JobParameters, parts);
  }
}

requireForSerialization('cupel/beam/fns', { ParseBlocks, MergeBlocks, PublishManifest, Work });
