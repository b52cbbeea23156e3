import { cupelError } from '../../../errors.ts';
import type { Feed } from '../../feeds.ts';
import type { CompiledContract } from '../../types.ts';

/** One record of an object, not yet checked. */
export interface RawRecord {
  /** Position in the object, from 0. */
  offset: number;
  /** What the contract's paths lead through. */
  value: unknown;
  /** The carrier's own order of this record, microseconds since 1970. Default: the object's, else the row's column of that name. */
  carrierOrder?: bigint;
  /** The same wherever this record is seen. Default: Bronze object and offset. */
  recordId?: string;
  /** Nominal hour, `YYYY-MM-DDTHH`. Default: that of the object's folder. */
  hour?: string;
  /** The record cannot be read; says what was expected, and holds no value. */
  malformed?: string;
}

/** An object of Bronze, opened. */
export interface Unpacked {
  /** The carrier's own order, microseconds since 1970; undefined where each record has its own. */
  carrierOrder?: bigint;
  records: RawRecord[];
}

/** What opens the objects of one kind. Pure. */
export interface Unpacker {
  /** Kinds of feeds that bring such objects. */
  carriedBy: readonly NonNullable<Feed['kind']>[];
  /** Member of a record's value that holds what the origin sent; the rest is the carrier's. Default: all of it is the origin's. */
  payload?: string;
  /** @throws CupelError CUP_OBJECT_UNREADABLE when no record of the object can be told from another */
  open(contract: CompiledContract, bytes: Uint8Array, bronzeObject: string): Unpacked | Promise<Unpacked>;
  /** The exact bytes of a record of an object that `open` has opened: what quarantine keeps. */
  rawRecord(contract: CompiledContract, bytes: Uint8Array, offset: number): Buffer | Promise<Buffer>;
}

export function unreadable(bronzeObject: string, expected: string, cause?: unknown): Error {
  return cupelError('CUP_OBJECT_UNREADABLE', { object: bronzeObject, expected }, cause);
}

/** @throws CupelError CUP_OBJECT_UNREADABLE when the bytes are not of that encoding */
export function decodeText(bytes: Uint8Array, bronzeObject: string, encoding = 'utf-8'): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(bronzeObject, `expected text in ${encoding}`, error);
  }
}

/** @throws CupelError CUP_OBJECT_UNREADABLE */
export function parseJson(bytes: Uint8Array, bronzeObject: string): unknown {
  const text = decodeText(bytes, bronzeObject);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(bronzeObject, 'expected JSON', error);
  }
}
