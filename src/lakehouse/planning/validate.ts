import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import type { CompiledContract } from '../../contracts/index.ts';
import { verifyObject } from '../../ingest/verify-object.ts';
import type { ChunkObject } from '../deltas/index.ts';
import { arrivalEvent } from '../ledger/index.ts';
import type { LedgerEvent } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import type { ObjectKept } from '../quarantine/kept.ts';

/** Objects verified at once. */
const AT_ONCE = 16;

/** What validation works with. */
export interface ValidationResources {
  store: ObjectStore;
  bronzeBucket: string;
  quarantineBucket: string;
  /** Called now and then, to show that work goes on. */
  progress(objects: number): void;
}

/** What validation found. */
export interface Validation {
  /** Objects that may be processed. */
  accepted: ChunkObject[];
  refused: number;
  /** Arrivals of objects that nobody had registered yet. */
  arrivals: LedgerEvent[];
}

/** Keeps what is to be known of a refused object; the object itself stays in Bronze. */
async function quarantineObject(
  resources: ValidationResources,
  contract: CompiledContract,
  object: ChunkObject,
  code: string,
  detail: string,
): Promise<void> {
  const name = createHash('sha256').update(`${object.name}#${object.generation}`).digest('hex');
  const body: ObjectKept = {
    reasonCode: code,
    detail,
    source: contract.source,
    contract: contract.shadowOf ?? contract.hash,
    bronzeObject: object.name,
    generation: object.generation,
  };
  await resources.store.create(
    `gs://${resources.quarantineBucket}/${contract.source}/objects/${name}.json`,
    JSON.stringify(body),
    'application/json',
  );
}

/**
 * Verifies the objects of a chunk that the ledger does not know as verified. Refuses whole objects; parses no row; never
 * waits for a finalize event.
 *
 * @param known state by `<name>#<generation>` of arrivals in the ledger
 */
export async function validateObjects(
  resources: ValidationResources,
  contract: CompiledContract,
  objects: ChunkObject[],
  known: ReadonlyMap<string, string>,
): Promise<Validation> {
  const limit = pLimit(AT_ONCE);
  const arrivals: LedgerEvent[] = [];
  const refused = new Set<ChunkObject>();
  let seen = 0;
  const check = async (object: ChunkObject): Promise<void> => {
    if (known.get(`${object.name}#${object.generation}`) === 'verified') return;
    const found = await verifyObject(resources.store, resources.bronzeBucket, object.name, contract);
    arrivals.push(arrivalEvent(contract.source, object, found));
    if (!found.ok) {
      refused.add(object);
      await quarantineObject(resources, contract, object, found.code, found.detail);
    }
    seen += 1;
    resources.progress(seen);
  };
  await Promise.all(objects.map((object) => limit(() => check(object))));
  return { accepted: objects.filter((object) => !refused.has(object)), refused: refused.size, arrivals };
}
