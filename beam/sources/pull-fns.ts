import pLimit from 'p-limit';
import { isPulled } from '../../src/contracts/index.ts';
import type { CompiledContract, PullFeed } from '../../src/contracts/index.ts';
import { CupelError, cupelError } from '../../src/errors.ts';
import { fetchSettings } from '../../src/ingest/fetch-settings.ts';
import { evenPace } from '../../src/ingest/pace.ts';
import type { Pace } from '../../src/ingest/pace.ts';
import { pullWindow } from '../../src/ingest/pull-window.ts';
import { listFeed } from '../../src/lakehouse/bronze/index.ts';
import type { ChunkObject, FailureReport } from '../../src/lakehouse/deltas/index.ts';
import { emptyManifest, landedChunk } from '../../src/lakehouse/planning/chunks.ts';
import { validateObjects } from '../../src/lakehouse/planning/validate.ts';
import { PullLog, windowPartition } from '../../src/lakehouse/pull/index.ts';
import type { PullWindow } from '../../src/lakehouse/pull/index.ts';
import { openJob } from '../job-resources.ts';
import { inGlobalWindow, requireForSerialization } from '../sdk.ts';
import type { KeyedText } from '../sdk.ts';
import { refuseBatch } from '../sinks/manifest.ts';
import type { JobParameters } from '../threads/messages.ts';

/** Windows in work at once: while one answer is landed, the next one is on its way. Requests begin evenly all the same. */
const AT_ONCE = 2;

/** Milliseconds for an answer: a query of a range takes an origin longer than a feed that it has ready. */
const ANSWER_MS = 60_000;

const HOUR = 3_600_000;

/** What became of a window: the objects of its partition, those that validation accepts, or why it failed. */
type LandedWindow =
  { listed: ChunkObject[]; accepted: ChunkObject[]; failed?: undefined } | { failed: FailureReport['failed'][number] };

type Job = Awaited<ReturnType<typeof openJob>>;

function feedOf({ feeds }: CompiledContract, name: string): PullFeed {
  const pulled = feeds.filter(isPulled);
  const feed = pulled.find((candidate) => candidate.name === name);
  if (!feed)
    throw cupelError('CUP_FEED_UNKNOWN', { feed: name, known: pulled.map((of) => of.name).join(', ') || 'none' });
  return feed;
}

/** Lands a window and lists its partition: answers of runs before are in it too, so that its fingerprint is that of all it holds. */
async function landWindow(job: Job, window: PullWindow, pace: Pace): Promise<LandedWindow> {
  const { environment, store, contract, chunk } = job;
  const { bronze: bronzeBucket, quarantine: quarantineBucket, ops } = environment.buckets;
  const pull = { contract, feed: feedOf(contract, window.feed), run: chunk.again ?? '' };
  const fetch = { ...fetchSettings(process.env), timeoutMs: ANSWER_MS };
  await pullWindow({ store, bronzeBucket, log: new PullLog(store, ops), fetch, pace }, pull, window);
  const from = new Date(window.from);
  const listed = await listFeed(store, bronzeBucket, contract.source, window.feed, {
    from,
    to: new Date(from.getTime() + HOUR),
  });
  const validating = { store, bronzeBucket, quarantineBucket, progress: () => undefined };
  const { accepted } = await validateObjects(validating, contract, listed, new Map());
  return { listed, accepted };
}

/** Windows → the objects of Bronze that they became. One that fails is told, so that the others are of use. */
export class LandWindows {
  readonly parameters: JobParameters;
  windows: PullWindow[] = [];

  constructor(parameters: JobParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    this.windows = [];
  }

  process(window: string): void {
    this.windows.push(JSON.parse(window) as PullWindow);
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    if (!this.windows.length) return;
    const job = await openJob(this.parameters);
    const limit = pLimit(AT_ONCE);
    const paces = new Map<string, Pace>();
    const paceOf = (name: string): Pace => {
      const pace = paces.get(name) ?? evenPace(feedOf(job.contract, name).requestsPerMinute ?? 60);
      paces.set(name, pace);
      return pace;
    };
    const landing = this.windows.map((window) =>
      limit(async (): Promise<LandedWindow> => {
        try {
          return await landWindow(job, window, paceOf(window.feed));
        } catch (error) {
          if (!(error instanceof CupelError)) throw error;
          return { failed: { partition: windowPartition(window), code: error.code } };
        }
      }),
    );
    for (const landed of await Promise.all(landing))
      yield inGlobalWindow<KeyedText>({ key: 'landed', value: JSON.stringify(landed) });
  }
}

/** All windows of the chunk → its objects, fixed: every attempt from here on processes the same. */
export class FixLanded {
  readonly parameters: JobParameters;

  constructor(parameters: JobParameters) {
    this.parameters = parameters;
  }

  async *process({ value }: { value: Iterable<string> }): AsyncGenerator<string> {
    const { store, deltas, chunk } = await openJob(this.parameters);
    const windows = [...value].map((text) => JSON.parse(text) as LandedWindow);
    const failed = windows.flatMap((window) => window.failed ?? []);
    if (failed.length) await refuseBatch(store, this.parameters, chunk.batchId, failed);
    const of = (which: 'accepted' | 'listed') => windows.flatMap((window) => (window.failed ? [] : window[which]));
    const fixed = await deltas.fixLanded(landedChunk(chunk, of('accepted'), of('listed')));
    if (!fixed.objects.length) await deltas.writeManifest(emptyManifest(fixed));
    for (const object of fixed.objects) yield JSON.stringify(object);
  }
}

requireForSerialization('cupel/beam/sources/pull-fns', { LandWindows, FixLanded });
