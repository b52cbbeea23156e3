import { cupelError } from '../../errors.ts';
import type { CompiledContract } from '../types.ts';
import { rawElement } from './raw-record.ts';

/** One record of an object, not yet checked. */
export interface RawRecord {
  /** Position in the object, from 0. */
  offset: number;
  value: unknown;
}

/** An object of Bronze, opened. */
export interface Unpacked {
  /** The carrier's own order, microseconds since 1970. */
  carrierOrder: bigint;
  records: RawRecord[];
}

const MAX_MILLIS = 8.64e15;

/** Milliseconds since 1970 to microseconds; undefined where the number is no time that a Date can hold (ECMA-262 §21.4.1.1). */
export function millisToMicros(value: unknown): bigint | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > MAX_MILLIS) return undefined;
  return BigInt(value) * 1000n;
}

/**
 * Opens an object of a source of kind `geojson-feature-collection`.
 *
 * @throws CupelError CUP_OBJECT_UNREADABLE when it is no JSON, no FeatureCollection, or has no carrier order
 */
export function unpackObject(contract: CompiledContract, bytes: Uint8Array, bronzeObject: string): Unpacked {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw unreadable(bronzeObject, 'expected JSON in UTF-8', error);
  }
  const collection = (document ?? {}) as {
    type?: unknown;
    metadata?: Record<string, unknown> | null;
    features?: unknown;
  };
  if (collection.type !== 'FeatureCollection' || !Array.isArray(collection.features)) {
    throw unreadable(bronzeObject, 'expected a FeatureCollection with features');
  }
  const carrierOrder = millisToMicros(collection.metadata?.[contract.carrierOrder]);
  if (carrierOrder === undefined)
    throw unreadable(bronzeObject, `expected metadata.${contract.carrierOrder} in milliseconds`);
  return { carrierOrder, records: collection.features.map((value, offset) => ({ offset, value })) };
}

/** The exact text of a record of an object that {@link unpackObject} has opened. */
export function rawRecordText(bytes: Uint8Array, offset: number): string {
  return rawElement(new TextDecoder().decode(bytes), 'features', offset);
}

function unreadable(bronzeObject: string, expected: string, cause?: unknown): Error {
  return cupelError('CUP_OBJECT_UNREADABLE', { object: bronzeObject, expected }, cause);
}
