import { createHash } from 'node:crypto';
import type { CompiledContract, FileFeed } from '../contracts/index.ts';
import { CupelError, cupelError } from '../errors.ts';
import { bronzeName, hourOf } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import type { FileKept } from '../lakehouse/quarantine/kept.ts';
import { describeFile } from './describe-file.ts';
import type { FileDescription } from './describe-file.ts';

/** A file of the inbox, as its finalize event names it. */
export interface InboxFile {
  bucket: string;
  name: string;
  generation: string;
}

/** A file in Bronze. */
export interface LandedFile {
  source: string;
  feed: string;
  priority: NonNullable<FileFeed['priority']>;
  /** Name in the Bronze bucket. */
  object: string;
  /** Nominal hour, `YYYY-MM-DDTHH`: that of the drop. */
  hour: string;
  /** Whether the same content was dropped in the same hour before. */
  alreadyLanded: boolean;
  description: FileDescription;
}

/** What landing works with. */
export interface LandingResources {
  store: ObjectStore;
  bronzeBucket: string;
  quarantineBucket: string;
}

const PLACE = /^([^/]+)\/([^/]+)\/.*[^/]$/;

/** Source and feed that a name of the inbox tells; undefined for folders, and for names outside of any. */
export function placeOfFile(name: string): { source: string; feed: string } | undefined {
  const [, source, feed] = PLACE.exec(name) ?? [];
  return source && feed ? { source, feed } : undefined;
}

function feedOf(contract: CompiledContract, name: string): FileFeed {
  const feed = placeOfFile(name)?.feed;
  const found = contract.feeds.find((candidate) => candidate.name === feed);
  if (found?.kind === 'file') return found;
  const known = contract.feeds.filter(({ kind }) => kind === 'file').map((of) => `${contract.source}/${of.name}/`);
  throw cupelError('CUP_FILE_MISPLACED', { file: name, known: known.join(', ') || 'none' });
}

/** A file as it was read. */
interface ReadFile {
  bytes: Buffer;
  /** RFC 3339. */
  created: string;
  /** Hex. */
  sha256: string;
}

/** Why a file is refused: a code of the catalogue, and what was expected. */
type FileRefusal = { code: string } & Record<string, unknown>;

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function readFile(store: ObjectStore, { bucket, name, generation }: InboxFile): Promise<ReadFile> {
  const uri = `gs://${bucket}/${name}`;
  const found = await store.stat(uri);
  if (found?.generation !== generation) throw cupelError('CUP_OBJECT_NOT_FOUND', { uri, generation });
  const bytes = await store.read(uri);
  // It may have been replaced between the look and the read: then the bytes are its successor's.
  if ((await store.stat(uri))?.generation !== generation) throw cupelError('CUP_OBJECT_NOT_FOUND', { uri, generation });
  return { bytes, created: found.created, sha256: sha256Of(bytes) };
}

/** Keeps a refused file whole, and beside it why: nothing of it is in Bronze, so a mended one is judged by itself. */
async function refuse(
  { store, quarantineBucket }: LandingResources,
  { source, hash: contract, unpack }: CompiledContract,
  file: InboxFile,
  { bytes, created: dropped, sha256 }: ReadFile,
  why: FileRefusal,
): Promise<never> {
  const { extension, mediaType } = unpack;
  const uri = `gs://${quarantineBucket}/${source}/files/${sha256}`;
  const kept = `${uri}.file.${extension}`; // never the note's own name, whatever the extension
  await store.create(kept, bytes, mediaType);
  const { code: reasonCode, ...detail } = why;
  const body: FileKept = { reasonCode, source, contract, file, dropped, extension, ...detail };
  await store.create(`${uri}.json`, JSON.stringify(body), 'application/json');
  throw cupelError('CUP_FILE_REFUSED', { file: file.name, kept, ...why });
}

/**
 * Whether a contract takes a file: what it holds, or why not.
 *
 * @param name in the inbox, for messages
 */
export async function judgeFile(
  contract: CompiledContract,
  bytes: Uint8Array,
  name: string,
): Promise<{ description: FileDescription } | { refusal: FileRefusal }> {
  let description: FileDescription;
  try {
    description = await describeFile(contract, bytes, name);
  } catch (error) {
    if (!(error instanceof CupelError) || error.retryable) throw error;
    return { refusal: { code: error.code, expected: error.details.expected } };
  }
  const { records, refused, reasons, firstRefused } = description;
  const { maxShare } = contract.quarantine;
  if (refused <= maxShare * records) return { description };
  const refusal = {
    code: 'CUP_QUARANTINE_CAP',
    records,
    refused,
    maxShare,
    reasons: Object.entries(reasons)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', '),
    first: firstRefused ? `record ${firstRefused.offset}: ${firstRefused.detail}` : '',
  };
  return { refusal };
}

/**
 * Writes a file's bytes to Bronze, create-only, under the hour of its drop.
 *
 * @param name in the inbox: it tells the feed
 * @param read its bytes, and when it was dropped (RFC 3339)
 * @throws CupelError CUP_FILE_MISPLACED
 */
export async function landBytes(
  { store, bronzeBucket }: Pick<LandingResources, 'store' | 'bronzeBucket'>,
  contract: CompiledContract,
  name: string,
  { bytes, created }: Pick<ReadFile, 'bytes' | 'created'>,
): Promise<Omit<LandedFile, 'description'>> {
  const { name: feed, priority = 'normal' } = feedOf(contract, name);
  const { source, unpack } = contract;
  const hour = hourOf(new Date(created));
  const object = bronzeName({ source, feed, hour, sha256: sha256Of(bytes), extension: unpack.extension });
  const { outcome } = await store.create(`gs://${bronzeBucket}/${object}`, bytes, unpack.mediaType);
  return { source, feed, priority, object, hour, alreadyLanded: outcome === 'exists' };
}

/**
 * Copies a file as it came from the inbox to Bronze, create-only, under the hour of its drop: after that nobody can change it. One
 * that the contract cannot read, or of which it refuses too large a share, goes to quarantine as a whole instead, so that it
 * never stands in the way of the hour's other files.
 *
 * @throws CupelError CUP_OBJECT_NOT_FOUND when the file is gone or was replaced: its successor has an event of its own;
 *   CUP_FILE_MISPLACED; CUP_FILE_REFUSED saying why, how many records, and where the file is kept
 */
export async function landFile(
  resources: LandingResources,
  contract: CompiledContract,
  file: InboxFile,
): Promise<LandedFile> {
  feedOf(contract, file.name); // a file that belongs nowhere is not read
  const read = await readFile(resources.store, file);
  const judged = await judgeFile(contract, read.bytes, file.name);
  if ('refusal' in judged) return refuse(resources, contract, file, read, judged.refusal);
  return { ...(await landBytes(resources, contract, file.name, read)), description: judged.description };
}
