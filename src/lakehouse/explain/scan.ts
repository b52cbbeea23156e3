import pLimit from 'p-limit';
import { normaliser, rawRecord, Reducer } from '../../contracts/index.ts';
import type { CompiledContract, RawRecord, RecordContext, Row } from '../../contracts/index.ts';
import { CupelError, cupelError } from '../../errors.ts';
import { checkName } from '../../ingest/verify-object.ts';
import { belongs, openObject } from '../bronze/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { keyMatcher, textMatcher } from './key.ts';
import type { Selection } from './key.ts';

/** Objects that are held at once: each may be large. */
const AT_ONCE = 8;

/** Why a record is no candidate for a row. */
export interface Refusal {
  /** A reason of quarantine, or the code of the error that refuses the whole object. */
  code: string;
  /** What was expected; never a value. */
  detail: string;
  /** `object`: validation refuses the object, and so every record of it. */
  whole: 'record' | 'object';
}

/** A record of Bronze that was asked for. */
export interface FoundRecord {
  /** Name in the Bronze bucket. */
  object: string;
  offset: number;
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
  recordId: string;
  /** Pub/Sub's id, where messages are archived. */
  messageId?: string;
  /** `text`: the key cannot be read, and the raw record holds it as a word. */
  by: 'key' | 'text';
  /** The sealed row that the contract makes of it, or why it makes none. */
  made: { row: Row } | { refused: Refusal };
}

/** An object none of whose records can be told. */
export interface UnreadableObject {
  object: string;
  code: string;
  detail: string;
  /** Whether its bytes hold the key as a word. */
  holdsKey: boolean;
}

/** What a look through Bronze found. */
export interface Scan {
  records: FoundRecord[];
  unreadable: UnreadableObject[];
  objects: number;
  bytes: number;
}

/** What scanning works with. */
export interface ScanResources {
  store: ObjectStore;
  bronzeBucket: string;
  /** Called now and then. */
  progress(at: { objects: number; of: number; found: number }): void;
}

/** A row with its record hash: the reducer alone knows when and of what it is taken. */
function sealed(contract: CompiledContract, row: Row, raw: unknown): Row {
  const reducer = new Reducer(contract);
  reducer.add(row, raw);
  return reducer.drain()[0] ?? row;
}

/** Why validation refuses an object whose records can be read; undefined: it does not. */
function objectRefusal(contract: CompiledContract, name: string, bytes: Buffer): Refusal | undefined {
  try {
    checkName(contract, name, bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof CupelError)) throw error;
    return { code: error.code, detail: error.message, whole: 'object' };
  }
}

function messageIdOf(contract: CompiledContract, { value }: RawRecord): { messageId?: string } {
  if (contract.unpack.kind !== 'pubsub-avro') return {};
  return { messageId: String((value as { message_id?: unknown }).message_id) };
}

/** Looks through objects of Bronze for the records of a key. */
class Scanner {
  readonly #contract: CompiledContract;
  readonly #normalise: ReturnType<typeof normaliser>;
  readonly #isWanted: ReturnType<typeof keyMatcher>;
  readonly #inText: ReturnType<typeof textMatcher>;
  readonly result: Scan = { records: [], unreadable: [], objects: 0, bytes: 0 };

  constructor(contract: CompiledContract, selection: Selection) {
    this.#contract = contract;
    this.#normalise = normaliser(contract);
    this.#isWanted = keyMatcher(contract, selection);
    this.#inText = textMatcher(selection);
  }

  /** @param parts the object as it is listed: once, or once for each partition that it belongs to */
  async look(name: string, parts: ChunkObject[], bytes: Buffer): Promise<void> {
    this.result.objects += 1;
    this.result.bytes += bytes.length;
    const refused = objectRefusal(this.#contract, name, bytes);
    let opened;
    try {
      opened = await openObject(this.#contract, bytes, name);
    } catch (error) {
      if (!(error instanceof CupelError)) throw error;
      this.#unreadable(name, error, bytes);
      return;
    }
    for (const part of parts) {
      for (const record of opened.records.filter(belongs(part)))
        await this.#take(part, record, opened.context, bytes, refused);
    }
  }

  unread(name: string, error: CupelError): void {
    this.#unreadable(name, error, Buffer.alloc(0));
  }

  #unreadable(object: string, { code, message }: CupelError, bytes: Buffer): void {
    const holdsKey = this.#inText(bytes.toString('utf8'));
    this.result.unreadable.push({ object, code, detail: message, holdsKey });
  }

  async #take(
    { name, partition }: ChunkObject,
    record: RawRecord,
    context: RecordContext,
    bytes: Buffer,
    refused: Refusal | undefined,
  ): Promise<void> {
    const wanted = this.#isWanted(record, context);
    if (wanted === false) return;
    const unread = wanted === undefined;
    if (unread && !this.#inText((await rawRecord(this.#contract, bytes, record.offset)).toString('utf8'))) return;
    this.result.records.push({
      object: name,
      offset: record.offset,
      partition,
      recordId: record.recordId ?? `${name}#${record.offset}`,
      ...messageIdOf(this.#contract, record),
      by: unread ? 'text' : 'key',
      made: this.#make(record, context, refused),
    });
  }

  #make(record: RawRecord, context: RecordContext, refused: Refusal | undefined): FoundRecord['made'] {
    if (refused) return { refused };
    const result = this.#normalise(record, context);
    if ('row' in result) return { row: sealed(this.#contract, result.row, record.value) };
    const { reasonCode: code, detail } = result.reject;
    return { refused: { code, detail, whole: 'record' } };
  }
}

/** A download that does not match its checksum is a fault of the object, not of the tool that looks for such. */
function asUnreadable(name: string, error: unknown): CupelError {
  if (error instanceof CupelError && !error.retryable) return error;
  if ((error as { code?: unknown }).code === 'CONTENT_DOWNLOAD_MISMATCH')
    return cupelError('CUP_OBJECT_CORRUPT', { object: name, expected: 'content that matches its CRC-32C' }, error);
  throw error;
}

/**
 * Finds every record of a key in objects of Bronze, by the contract's own rules. Reads each object once, few at a time, and keeps nothing
 * but what was asked for.
 *
 * @param objects as a listing gives them; an archived object may be listed for two partitions
 */
export async function scanBronze(
  { store, bronzeBucket, progress }: ScanResources,
  contract: CompiledContract,
  selection: Selection,
  objects: ChunkObject[],
): Promise<Scan> {
  const scanner = new Scanner(contract, selection);
  const byName = [...Map.groupBy(objects, ({ name }) => name)];
  const limit = pLimit(AT_ONCE);
  const look = async ([name, parts]: [string, ChunkObject[]]): Promise<void> => {
    const bytes = await store.read(`gs://${bronzeBucket}/${name}`).catch((error: unknown) => {
      scanner.unread(name, asUnreadable(name, error));
      return undefined;
    });
    if (bytes) await scanner.look(name, parts, bytes);
    progress({ objects: scanner.result.objects, of: byName.length, found: scanner.result.records.length });
  };
  await Promise.all(byName.map((entry) => limit(() => look(entry))));
  return scanner.result;
}
