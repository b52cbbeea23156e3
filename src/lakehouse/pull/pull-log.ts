import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { hourFolder, hourOf } from '../bronze/index.ts';
import type { ObjectStore } from '../object-store.ts';
import type { PullWindow, Span } from './windows.ts';

/** What a request was answered with. */
export interface PulledPage {
  url: string;
  /** Name in Bronze; null where the answer was "no content". */
  object: string | null;
  records: number;
  /** The answer's own order, microseconds since 1970, decimal. */
  carrierOrder: string;
}

/** A window that was answered whole. */
export interface PulledWindow extends PullWindow {
  run: string;
  /** Least order of its answers, microseconds since 1970, decimal: what the origin knew by then is in Bronze. */
  carrierOrder: string;
  /** Names in Bronze. */
  objects: string[];
}

/** Entries read at once. */
const AT_ONCE = 16;

/** What was asked and answered, create-only in the ops bucket, so that no attempt asks what another has landed (docs/pull.md). */
export class PullLog {
  readonly #store: ObjectStore;
  readonly #root: string;

  /** @param opsBucket the ops bucket */
  constructor(store: ObjectStore, opsBucket: string) {
    this.#store = store;
    this.#root = `gs://${opsBucket}/`;
  }

  /** The answer of a request of a run; undefined while there is none. */
  async readPage(source: string, feed: string, run: string, url: string): Promise<PulledPage | undefined> {
    const bytes = await this.#store.readIfExists(this.#pageUri(source, feed, run, url));
    return bytes && (JSON.parse(bytes.toString('utf8')) as PulledPage);
  }

  /** Remembers an answer that has landed; the first one of a request stays, and is returned. */
  async writePage(source: string, feed: string, run: string, page: PulledPage): Promise<PulledPage> {
    const { outcome } = await this.#create(this.#pageUri(source, feed, run, page.url), page);
    return outcome === 'created' ? page : ((await this.readPage(source, feed, run, page.url)) ?? page);
  }

  /** Says that every answer of a window has landed. */
  async writeWindow(source: string, window: PulledWindow): Promise<void> {
    await this.#create(this.#windowUri(source, window, window.run), window);
  }

  /** Whether a run has pulled a window. */
  async hasWindow(source: string, window: PullWindow, run: string): Promise<boolean> {
    return (await this.#store.readIfExists(this.#windowUri(source, window, run))) !== undefined;
  }

  /** The windows of a feed that were pulled and begin in a span. */
  async listWindows(source: string, feed: string, { from, to }: Span): Promise<PulledWindow[]> {
    const name = (at: number): string => this.#folder(source, feed, new Date(at)).slice(this.#root.length);
    const uris: string[] = [];
    const bounds = { from: name(from), to: name(to) };
    for await (const { uri } of this.#store.list(`${this.#root}_pulled/${source}/${feed}/dt=`, bounds)) uris.push(uri);
    const limit = pLimit(AT_ONCE);
    return Promise.all(
      uris.map((uri) => limit(async () => JSON.parse((await this.#store.read(uri)).toString('utf8')) as PulledWindow)),
    );
  }

  /** Of use to its run only, so it goes as plans do. */
  #pageUri(source: string, feed: string, run: string, url: string): string {
    const request = createHash('sha256').update(url).digest('hex');
    return `${this.#root}pulls/${source}/${feed}/${run}/${request}.json`;
  }

  #folder(source: string, feed: string, time: Date): string {
    return `${this.#root}_pulled/${hourFolder(source, feed, hourOf(time))}`;
  }

  #windowUri(source: string, { feed, from }: PullWindow, run: string): string {
    return `${this.#folder(source, feed, new Date(from))}${run}.json`;
  }

  #create(uri: string, value: object): ReturnType<ObjectStore['create']> {
    return this.#store.create(uri, JSON.stringify(value), 'application/json');
  }
}
