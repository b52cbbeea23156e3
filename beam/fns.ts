import { randomUUID } from 'node:crypto';
import { inGlobalWindow, requireForSerialization } from './sdk.ts';
import type { KeyedText } from './sdk.ts';
import { publishManifest } from './sinks/manifest.ts';
import type { Counts, JobParameters, ManifestPart, SourceElement } from './threads/messages.ts';
import { poolOf } from './threads/pool.ts';

// DoFns are sent to workers as data: fields that are set in the constructor must be plain, the rest is made per bundle.

/** Key of what is no bucket: the counts of a bundle. */
const COUNTS = 'counts';

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

/** Objects of Bronze or blocks of messages, as JSON → references to staged blocks, by bucket. Rows never cross the runner. */
export class ParseBlocks {
  readonly parameters: JobParameters;
  bundle = '';
  work: Work<null> | null = null;

  constructor(parameters: JobParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    this.bundle = randomUUID();
    this.work = new Work();
  }

  process(json: string): void {
    const element = JSON.parse(json) as SourceElement;
    const { batch } = this.parameters;
    this.work?.add(poolOf(this.parameters).ask({ op: 'parse', batch, bundle: this.bundle, element }));
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    const flushed = poolOf(this.parameters).askAll({ op: 'flush', bundle: this.bundle });
    flushed.catch(() => undefined); // it is awaited below, unless an object could not be parsed
    await this.work?.all();
    for (const { blocks, counts } of await flushed) {
      for (const { bucket, uri } of blocks) yield inGlobalWindow<KeyedText>({ key: String(bucket), value: uri });
      yield inGlobalWindow<KeyedText>({ key: COUNTS, value: JSON.stringify(counts) });
    }
  }
}

/** Blocks of one bucket → its delta. Counts pass through. */
export class MergeBlocks {
  readonly parameters: JobParameters;
  work: Work<ManifestPart> | null = null;

  constructor(parameters: JobParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    this.work = new Work();
  }

  process({ key, value }: { key: string; value: Iterable<string> }): void {
    const values = [...value];
    if (key === COUNTS) {
      for (const counts of values) this.work?.add(Promise.resolve({ counts: JSON.parse(counts) as Counts }));
      return;
    }
    const { batch } = this.parameters;
    this.work?.add(poolOf(this.parameters).ask({ op: 'merge', batch, bucket: Number(key), blocks: values }));
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    for (const part of (await this.work?.all()) ?? []) {
      yield inGlobalWindow<KeyedText>({ key: 'manifest', value: JSON.stringify(part) });
    }
  }
}

/** All parts of the batch → the manifest, written last and create-only. */
export class PublishManifest {
  readonly parameters: JobParameters;

  constructor(parameters: JobParameters) {
    this.parameters = parameters;
  }

  async process({ value }: { value: Iterable<string> }): Promise<void> {
    await publishManifest(
      this.parameters,
      [...value].map((part) => JSON.parse(part) as ManifestPart),
    );
  }
}

requireForSerialization('cupel/beam/fns', { ParseBlocks, MergeBlocks, PublishManifest, Work });
