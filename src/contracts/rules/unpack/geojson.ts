import { millisToMicros } from '../times.ts';
import { rawElement } from '../raw-record.ts';
import { parseJson, unreadable } from './types.ts';
import type { Unpacker } from './types.ts';

/** A FeatureCollection: its features are the records, and a member of its metadata, in milliseconds, is the carrier's order. */
export const geojson: Unpacker = {
  carriedBy: ['poll', 'file', 'pull'],
  open(contract, bytes, bronzeObject) {
    const collection = (parseJson(bytes, bronzeObject) ?? {}) as {
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
  },
  rawRecord: (_contract, bytes, offset) => Buffer.from(rawElement(new TextDecoder().decode(bytes), 'features', offset)),
};
