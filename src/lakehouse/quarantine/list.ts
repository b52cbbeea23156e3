import pLimit from 'p-limit';
import { REASON_CODES } from '../../contracts/index.ts';
import { cupelError, ERRORS } from '../../errors.ts';
import { ARCHIVE_FEED, hourOf, parseBronzeName, partitionOf } from '../bronze/index.ts';
import type { ObjectStore, StoredObject } from '../object-store.ts';
import type { FileKept, ObjectKept, RecordKept } from './kept.ts';
import type { QuarantineEntry, QuarantineFilter } from './types.ts';

/** Objects read at once. */
const AT_ONCE = 32;

/** Objects of quarantine that wait to be read: bounds memory, since each may hold a whole record. */
const WAVE = 512;

const HOUR = 3_600_000;

/** Names of notes; markers and the bytes of files have others. */
export const NOTE = /^(.*\/(?:[0-9a-f]{64}|objects|files)\/[0-9a-f]{64})\.json$/;

/** Says that an entry was re-driven; lies beside it, create-only. */
export const markerUri = (uri: string): string => uri.replace(/\.json$/, '.redriven.json');

/** Refusals of a source that are not marked as re-driven, in order of name: a marker is next to what it marks. */
async function* unmarked(store: ObjectStore, bucket: string, source: string): AsyncGenerator<StoredObject> {
  let held: StoredObject | undefined;
  for await (const object of store.list(`gs://${bucket}/${source}/`)) {
    if (held && object.uri === markerUri(held.uri)) held = undefined;
    if (!NOTE.test(object.name)) continue;
    if (held) yield held;
    held = object;
  }
  if (held) yield held;
}

function hoursOf(bronzeObject: string): string[] {
  const parsed = parseBronzeName(bronzeObject);
  if (!parsed) return [];
  const before = hourOf(new Date(Date.parse(`${parsed.hour}:00:00Z`) - HOUR));
  return parsed.feed === ARCHIVE_FEED ? [parsed.hour, before] : [parsed.hour];
}

function toEntry(uri: string, note: RecordKept | ObjectKept | FileKept): QuarantineEntry {
  const { reasonCode, contract } = note;
  const common = { reasonCode, copies: [{ uri, contract }] };
  if ('file' in note) {
    const { name, generation } = note.file;
    const detail = note.first || note.expected || '';
    const [, feed = ''] = name.split('/');
    const partitions = [partitionOf({ feed, hour: hourOf(new Date(note.dropped)) })];
    return { ...common, kind: 'file', id: `${name}#${generation}`, detail, partitions, file: note };
  }
  const { bronzeObject, detail } = note;
  if ('offset' in note) {
    const { offset, partition } = note;
    const record = { bronzeObject, offset };
    return { ...common, kind: 'record', id: `${bronzeObject}#${offset}`, detail, partitions: [partition], record };
  }
  const feed = parseBronzeName(bronzeObject)?.feed ?? '';
  const partitions = hoursOf(bronzeObject).map((hour) => partitionOf({ feed, hour }));
  return {
    ...common,
    kind: 'object',
    id: `${bronzeObject}#${note.generation}`,
    detail,
    partitions,
    object: bronzeObject,
  };
}

/** A misspelt code would find nothing, and that looks like good news. */
function checkReasons({ reasons = [] }: QuarantineFilter): void {
  const unknown = reasons.find((code) => !Object.hasOwn(REASON_CODES, code) && !Object.hasOwn(ERRORS, code));
  if (unknown !== undefined)
    throw cupelError('CUP_REQUEST_INVALID', { reason: unknown, expected: Object.keys(REASON_CODES).join(', ') });
}

function matcher({ reasons, from, to, feed }: QuarantineFilter): (entry: QuarantineEntry) => boolean {
  const wanted = reasons && new Set(reasons);
  const first = from === undefined ? -Infinity : Date.parse(from);
  const end = to === undefined ? Infinity : Date.parse(to);
  const inside = (partition: string): boolean => {
    const [name, hour] = partition.split('/');
    const at = Date.parse(`${hour}:00:00Z`);
    return (feed === undefined || name === feed) && at + HOUR > first && at < end;
  };
  return ({ reasonCode, partitions }) => (!wanted || wanted.has(reasonCode)) && partitions.some(inside);
}

/** Copies of one thing together; a later refusal says what is wrong with it now. */
function addCopy(entries: Map<string, QuarantineEntry & { at: string }>, entry: QuarantineEntry, at: string): void {
  const key = `${entry.kind} ${entry.id}`;
  const known = entries.get(key);
  const newest = !known || at >= known.at ? { ...entry, at } : known;
  entries.set(key, { ...newest, copies: [...(known?.copies ?? []), ...entry.copies] });
}

/**
 * What is in quarantine of a source and was not re-driven, in order of id. Reads every refusal once and keeps no raw bytes.
 *
 * @param progress called now and then with the number of refusals that were read
 * @throws CupelError CUP_REQUEST_INVALID for a reason that no catalogue has
 */
export async function readQuarantine(
  store: ObjectStore,
  bucket: string,
  source: string,
  filter: QuarantineFilter = {},
  progress: (read: number) => void = () => undefined,
): Promise<QuarantineEntry[]> {
  checkReasons(filter);
  const limit = pLimit(AT_ONCE);
  const entries = new Map<string, QuarantineEntry & { at: string }>();
  let read = 0;
  const take = async ({ uri, created }: StoredObject): Promise<void> => {
    const note = JSON.parse((await store.read(uri)).toString('utf8')) as RecordKept | ObjectKept | FileKept;
    addCopy(entries, toEntry(uri, note), created);
    read += 1;
  };
  let wave: Promise<void>[] = [];
  for await (const object of unmarked(store, bucket, source)) {
    wave.push(limit(() => take(object)));
    if (wave.length < WAVE) continue;
    await Promise.all(wave);
    wave = [];
    progress(read);
  }
  await Promise.all(wave);
  const chosen = [...entries.values()].filter(matcher(filter));
  return chosen.map(({ at: _at, ...entry }) => entry).sort((a, b) => (a.id < b.id ? -1 : 1));
}
