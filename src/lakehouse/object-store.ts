import type { File, Storage } from '@google-cloud/storage';
import { cupelError } from '../errors.ts';

/** An object as a listing shows it. */
export interface StoredObject {
  uri: string;
  bucket: string;
  name: string;
  /** Decimal digits: beyond 2^53. */
  generation: string;
  bytes: number;
  /** Base64 of the big-endian CRC-32C, as Cloud Storage writes it. */
  crc32c: string;
  /** RFC 3339: when this generation was written. */
  created: string;
  /** RFC 3339. */
  updated: string;
}

/** What became of a create-only write. */
export interface Created {
  /** `exists`: an object of that name was there already, and stays as it is. */
  outcome: 'created' | 'exists';
}

const URI = /^gs:\/\/([^/]+)\/(.+)$/;

function status(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'number' ? code : undefined;
}

function toStored(file: File): StoredObject {
  const { metadata } = file;
  return {
    uri: `gs://${file.bucket.name}/${file.name}`,
    bucket: file.bucket.name,
    name: file.name,
    generation: String(metadata.generation),
    bytes: Number(metadata.size),
    crc32c: metadata.crc32c ?? '',
    created: metadata.timeCreated ?? '',
    updated: metadata.updated ?? '',
  };
}

/** All reading and writing of objects by URI (`gs://bucket/name`). Downloads are checked against CRC-32C by the client. */
export class ObjectStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  #file(uri: string): File {
    const [, bucket, name] = URI.exec(uri) ?? [];
    if (!bucket || !name) throw cupelError('CUP_OBJECT_URI_INVALID', { uri });
    return this.#storage.bucket(bucket).file(name);
  }

  /** @throws CupelError CUP_OBJECT_NOT_FOUND */
  async read(uri: string): Promise<Buffer> {
    const bytes = await this.readIfExists(uri);
    if (!bytes) throw cupelError('CUP_OBJECT_NOT_FOUND', { uri });
    return bytes;
  }

  /** An object as a listing would show it, or undefined where there is none. */
  async stat(uri: string): Promise<StoredObject | undefined> {
    const file = this.#file(uri);
    try {
      await file.getMetadata();
      return toStored(file);
    } catch (error) {
      if (status(error) === 404) return undefined;
      throw error;
    }
  }

  /** The bytes of an object, or undefined where there is none. */
  async readIfExists(uri: string): Promise<Buffer | undefined> {
    try {
      const [bytes] = await this.#file(uri).download({ validation: 'crc32c' });
      return bytes;
    } catch (error) {
      if (status(error) === 404) return undefined;
      throw error;
    }
  }

  /**
   * The bytes of an object and a generation that is not newer than they are, so that {@link replace} under it never overwrites
   * what was not read; undefined where there is none.
   */
  async readWithGeneration(uri: string): Promise<{ bytes: Buffer; generation: string } | undefined> {
    const found = await this.stat(uri);
    const bytes = found && (await this.readIfExists(uri));
    return found && bytes && { bytes, generation: found.generation };
  }

  /**
   * Writes an object in place of a generation of it, `0` for none.
   *
   * @returns `conflict`: another writer was first, or the answer to this very write was lost
   */
  async replace(
    uri: string,
    bytes: Uint8Array,
    generation: string,
    contentType = 'application/octet-stream',
  ): Promise<{ outcome: 'replaced' | 'conflict' }> {
    try {
      await this.#file(uri).save(Buffer.from(bytes), {
        resumable: false,
        contentType,
        validation: 'crc32c',
        // Digits as they are: a generation is beyond 2^53.
        preconditionOpts: { ifGenerationMatch: generation as unknown as number },
      });
      return { outcome: 'replaced' };
    } catch (error) {
      if (status(error) === 412) return { outcome: 'conflict' };
      throw error;
    }
  }

  /** Bytes `start` to `end` of an object, `end` not included. A part cannot be checked against the object's CRC-32C. */
  async readRange(uri: string, start: number, end: number): Promise<Buffer> {
    try {
      const [bytes] = await this.#file(uri).download({ start, end: end - 1, validation: false });
      return bytes;
    } catch (error) {
      if (status(error) === 404) throw cupelError('CUP_OBJECT_NOT_FOUND', { uri });
      throw error;
    }
  }

  /** Writes an object unless one of that name exists (`ifGenerationMatch: 0`): the answer tells which. */
  async create(uri: string, bytes: Uint8Array | string, contentType = 'application/octet-stream'): Promise<Created> {
    try {
      // A create-only write is idempotent, so the client may retry it: its own echo comes back as `exists`.
      await this.#file(uri).save(Buffer.from(bytes as Uint8Array), {
        resumable: false,
        contentType,
        validation: 'crc32c',
        preconditionOpts: { ifGenerationMatch: 0 },
      });
      return { outcome: 'created' };
    } catch (error) {
      if (status(error) === 412) return { outcome: 'exists' };
      throw error;
    }
  }

  /**
   * Every object whose URI begins with the prefix, in order of name.
   *
   * @param range names from `from` on and before `to`, both whole object names
   */
  async *list(prefixUri: string, range: { from?: string; to?: string } = {}): AsyncGenerator<StoredObject> {
    const [, bucket, prefix = ''] = /^gs:\/\/([^/]+)\/(.*)$/.exec(prefixUri) ?? [];
    if (!bucket) throw cupelError('CUP_OBJECT_URI_INVALID', { uri: prefixUri });
    const stream = this.#storage.bucket(bucket).getFilesStream({
      prefix,
      ...(range.from ? { startOffset: range.from } : {}),
      ...(range.to ? { endOffset: range.to } : {}),
    });
    for await (const file of stream as AsyncIterable<File>) yield toStored(file);
  }

  /**
   * Deletes an object; one that is gone already is no error.
   *
   * @param generation deletes only this one: another that has been written since stays. Default: whichever is there
   */
  async delete(uri: string, generation?: string): Promise<void> {
    const condition = generation === undefined ? {} : { ifGenerationMatch: generation };
    try {
      await this.#file(uri).delete({ ignoreNotFound: true, ...condition });
    } catch (error) {
      if (generation === undefined || status(error) !== 412) throw error;
    }
  }
}
