import type { CompiledContract } from '../contracts/index.ts';
import { arrivalEvent } from '../lakehouse/ledger/index.ts';
import { parseBronzeName } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import type { EventBatcher } from './event-batcher.ts';
import { verifyObject } from './verify-object.ts';

/** An object as an event names it. */
export interface FinalizedObject {
  bucket: string;
  name: string;
  generation: string;
}

/** What registering works with. */
export interface ArrivalResources {
  store: ObjectStore;
  events: EventBatcher;
  /** The newest published contract of a source; undefined where there is none. */
  contractOf(source: string): Promise<CompiledContract | undefined>;
}

/**
 * Checks a finalized object and enters its arrival into the ledger. The event's id comes from the object and its generation,
 * so a duplicate delivery changes nothing.
 *
 * @returns whether the object is one of Bronze, of a source with a contract
 */
export async function registerArrival(resources: ArrivalResources, object: FinalizedObject): Promise<boolean> {
  const parsed = parseBronzeName(object.name);
  const contract = parsed && (await resources.contractOf(parsed.source));
  if (!contract) return false;
  const verified = await verifyObject(resources.store, object.bucket, object.name, contract);
  await resources.events.append(arrivalEvent(contract.source, object, verified));
  return true;
}
