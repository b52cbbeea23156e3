import type { ObjectStore, StoredObject } from '../../src/lakehouse/object-store.ts';

/** Objects in memory, each with an age: what sweeps and listings look at. */
export class MemoryObjects {
  readonly objects = new Map<string, { bytes: Buffer; updated: number; generation?: number }>();
  readonly #deleted = new Set<string>();
  #generation = 1;
  /** Time that new objects get, milliseconds since 1970. */
  now = Date.UTC(2025, 0, 1);

  /** The same as the store that the code under test gets. */
  get store(): ObjectStore {
    return this as unknown as ObjectStore;
  }

  /** Names of all objects, sorted. */
  get uris(): string[] {
    return [...this.objects.keys()].sort();
  }

  create(uri: string, bytes: Uint8Array | string): Promise<{ outcome: 'created' | 'exists' }> {
    if (this.objects.has(uri)) return Promise.resolve({ outcome: 'exists' });
    const again = this.#deleted.has(uri) ? { generation: (this.#generation += 1) } : {};
    this.objects.set(uri, { bytes: Buffer.from(bytes as Uint8Array), updated: this.now, ...again });
    return Promise.resolve({ outcome: 'created' });
  }

  read(uri: string): Promise<Buffer> {
    const found = this.objects.get(uri);
    return found ? Promise.resolve(found.bytes) : Promise.reject(new Error(`no ${uri}`));
  }

  async readRange(uri: string, start: number, end: number): Promise<Buffer> {
    return (await this.read(uri)).subarray(start, end);
  }

  readIfExists(uri: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.objects.get(uri)?.bytes);
  }

  /** Of an object that was never replaced, nor made again, it is 1. */
  readWithGeneration(uri: string): Promise<{ bytes: Buffer; generation: string } | undefined> {
    const found = this.objects.get(uri);
    return Promise.resolve(found && { bytes: found.bytes, generation: String(found.generation ?? 1) });
  }

  replace(uri: string, bytes: Uint8Array, generation: string): Promise<{ outcome: 'replaced' | 'conflict' }> {
    const found = this.objects.get(uri);
    const held = found ? String(found.generation ?? 1) : '0';
    if (held !== generation) return Promise.resolve({ outcome: 'conflict' });
    this.#generation += 1;
    this.objects.set(uri, { bytes: Buffer.from(bytes), updated: this.now, generation: this.#generation });
    return Promise.resolve({ outcome: 'replaced' });
  }

  delete(uri: string, generation?: string): Promise<void> {
    const held = String(this.objects.get(uri)?.generation ?? 1);
    if ((generation ?? held) === held && this.objects.delete(uri)) this.#deleted.add(uri);
    return Promise.resolve();
  }

  async *list(prefix: string, range: { from?: string; to?: string } = {}): AsyncGenerator<StoredObject> {
    for (const uri of this.uris.filter((candidate) => candidate.startsWith(prefix))) {
      const [, bucket = '', name = ''] = /^gs:\/\/([^/]+)\/(.*)$/.exec(uri) ?? [];
      if ((range.from && name < range.from) || (range.to && name >= range.to)) continue;
      const found = this.objects.get(uri);
      if (!found) continue; // deleted while it was listed
      const { bytes, updated, generation = 1 } = found;
      const shown = { uri, bucket, name, generation: String(generation), bytes: bytes.length, crc32c: '' };
      const at = new Date(updated).toISOString();
      yield await Promise.resolve({ ...shown, created: at, updated: at });
    }
  }
}
