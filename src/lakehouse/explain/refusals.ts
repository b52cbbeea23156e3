import pLimit from 'p-limit';
import { NOTE } from '../quarantine/list.ts';
import type { FileKept, ObjectKept, RecordKept } from '../quarantine/index.ts';
import type { ObjectStore, StoredObject } from '../object-store.ts';

/** A refusal that quarantine kept: of a record, or of a whole object. */
export interface KeptRefusal {
  /** Of the note. */
  uri: string;
  code: string;
  detail: string;
  /** Hash of the contract that refused it. */
  contract: string;
  object: string;
  /** Null: of the whole object. */
  offset: number | null;
  /** `<feed>/YYYY-MM-DDTHH`; null of a whole object. */
  partition: string | null;
  /** When it was kept, RFC 3339. */
  at: string;
}

const AT_ONCE = 32;

/** Notes that wait to be read: bounds memory, since each may hold a whole record. */
const WAVE = 512;

type Kept = RecordKept | ObjectKept | FileKept;

function toRefusal({ uri, created: at }: StoredObject, note: RecordKept | ObjectKept): KeptRefusal {
  const { reasonCode: code, detail, contract, bronzeObject: object } = note;
  const of = 'offset' in note ? { offset: note.offset, partition: note.partition } : { offset: null, partition: null };
  return { uri, code, detail, contract, object, ...of, at };
}

/**
 * Finds in quarantine what was kept of some records: those that were found in Bronze, by where they lie, and those that only a stream
 * has seen, by their text. Reads every note of the source once and keeps no bytes.
 *
 * @param wanted whether a note is of a record that was found
 * @param inText whether a text holds the key as a word
 */
export async function findRefusals(
  store: ObjectStore,
  bucket: string,
  source: string,
  wanted: (object: string, offset: number | null) => boolean,
  inText: (text: string) => boolean,
  progress: (notes: number) => void,
): Promise<KeptRefusal[]> {
  const limit = pLimit(AT_ONCE);
  const found: KeptRefusal[] = [];
  let read = 0;
  const look = async (object: StoredObject): Promise<void> => {
    const note = JSON.parse((await store.read(object.uri)).toString('utf8')) as Kept;
    read += 1;
    if ('file' in note) return; // it never landed
    const offset = 'offset' in note ? note.offset : null;
    const raw = 'rawBase64' in note ? Buffer.from(note.rawBase64, 'base64').toString('utf8') : '';
    if (wanted(note.bronzeObject, offset) || inText(raw)) found.push(toRefusal(object, note));
  };
  let wave: Promise<void>[] = [];
  for await (const object of store.list(`gs://${bucket}/${source}/`)) {
    if (!NOTE.test(object.name)) continue;
    wave.push(limit(() => look(object)));
    if (wave.length < WAVE) continue;
    await Promise.all(wave);
    wave = [];
    progress(read);
  }
  await Promise.all(wave);
  return found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.uri < b.uri ? -1 : 1));
}
