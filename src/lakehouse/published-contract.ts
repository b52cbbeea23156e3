import { contractChanges, gravest, planFields, withFields } from '../contracts/index.ts';
import type { CompiledContract, ContractChange, EvolvedField, SeenField } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import { contractUri, loadContract, publishContract, readContract } from './contract-store.ts';
import type { ObjectStore } from './object-store.ts';

/** Which contract of a source is in force: `gs://<ops>/contracts/<source>/published.json`. */
export interface Publication {
  version: 1;
  /** Hash of the contract in force. */
  hash: string;
  /** Hashes of the contracts whose batches the table takes, oldest first: all since the last rebuild. */
  lineage: string[];
  /** Hash of the file that it was made from, before fields were taken up. */
  file: string;
  /** Hashes of all files ever published: an older one never takes the source back by itself. */
  files: string[];
  /** Fields that were taken up by themselves. */
  evolved: EvolvedField[];
  /** A contract whose rebuild is under way; runs go on under the one in force. It takes up fields of its own. */
  rebuild?: Pick<Publication, 'hash' | 'lineage' | 'file' | 'evolved'>;
}

/** Where publications are kept. */
export interface PublicationStore {
  store: ObjectStore;
  opsBucket: string;
}

/** Other writers that were first before Temporal is asked to try later. */
const MAX_CONFLICTS = 10;

const publicationUri = (opsBucket: string, source: string): string =>
  `gs://${opsBucket}/contracts/${source}/published.json`;

/** Which contract of a source is in force; undefined before the first. */
export async function readPublication(
  { store, opsBucket }: PublicationStore,
  source: string,
): Promise<Publication | undefined> {
  const bytes = await store.readIfExists(publicationUri(opsBucket, source));
  return bytes && (JSON.parse(bytes.toString('utf8')) as Publication);
}

/** The contract of a source that is in force; undefined before the first. */
export async function publishedContract(
  where: PublicationStore,
  source: string,
): Promise<CompiledContract | undefined> {
  const publication = await readPublication(where, source);
  return publication && readContract(where.store, contractUri(where.opsBucket, source, publication.hash));
}

/**
 * The contract by which a source's tables are read: the one in force, else that of its file.
 *
 * @param contractsDirectory folder of the files
 * @throws CupelError CUP_SOURCE_UNKNOWN, CUP_CONTRACT_INVALID
 */
export async function contractInForce(
  where: PublicationStore,
  contractsDirectory: string,
  source: string,
): Promise<CompiledContract> {
  const file = await loadContract(contractsDirectory, source);
  return (await publishedContract(where, source)) ?? file;
}

/**
 * The contract under which a table is written, whatever contract a run has pinned: a later one that is compatible has more columns.
 *
 * @throws CupelError CUP_OBJECT_NOT_FOUND
 */
export async function contractOfTable(where: PublicationStore, pinnedUri: string): Promise<CompiledContract> {
  const pinned = await readContract(where.store, pinnedUri);
  return (await publishedContract(where, pinned.source)) ?? pinned;
}

const once = (hashes: string[], hash: string): string[] => [...hashes.filter((known) => known !== hash), hash];

/**
 * Changes a publication under the generation that was read, and again where another writer was first.
 *
 * @param change gives what is to be written, or undefined where nothing is
 * @throws CupelError CUP_COMMIT_CONFLICT when others are always first
 */
async function update(
  { store, opsBucket }: PublicationStore,
  source: string,
  change: (now: Publication | undefined) => Publication | undefined | Promise<Publication | undefined>,
): Promise<void> {
  const uri = publicationUri(opsBucket, source);
  for (let conflicts = 0; conflicts <= MAX_CONFLICTS; conflicts += 1) {
    const found = await store.readWithGeneration(uri);
    const next = await change(found && (JSON.parse(found.bytes.toString('utf8')) as Publication));
    if (!next) return;
    const bytes = Buffer.from(JSON.stringify(next));
    const { outcome } = await store.replace(uri, bytes, found?.generation ?? '0', 'application/json');
    // Also the echo of our own write comes back as a conflict: then the next look finds nothing left to do.
    if (outcome === 'replaced') return;
  }
  throw cupelError('CUP_COMMIT_CONFLICT', { object: uri });
}

/** Whether a file is in force, was once, or waits for its rebuild: then what is in force stays. */
function isSettled(now: Publication, file: CompiledContract): boolean {
  return now.files.includes(file.hash) || now.rebuild?.file === file.hash;
}

function breaking(file: CompiledContract, changes: ContractChange[]): Error {
  const told = changes.filter(({ impact }) => impact !== 'compatible');
  return cupelError('CUP_CONTRACT_BREAKING', {
    source: file.source,
    changes: told.map(({ path, what, needs }) => `${path}: ${what}; ${needs}`).join(' | '),
  });
}

async function next(
  where: PublicationStore,
  now: Publication,
  file: CompiledContract,
): Promise<{ publication: Publication; changes: ContractChange[] }> {
  const { store, opsBucket } = where;
  const inForce = await readContract(store, contractUri(opsBucket, file.source, now.hash));
  const contract = withFields(file, now.evolved);
  const changes = contractChanges(inForce, contract);
  const hash = contract.hash;
  if (gravest(changes) === 'compatible') await publishContract(store, opsBucket, contract);
  const publication = {
    ...now,
    hash,
    lineage: once(now.lineage, hash),
    file: file.hash,
    files: once(now.files, file.hash),
  };
  return { publication, changes };
}

/**
 * The contract that a run works under: that of the file, with the fields that were taken up meanwhile. A file that is new and
 * compatible is in force from now on; one that was in force before, or whose rebuild is under way, leaves everything as it is.
 *
 * @param file the compiled contract of the source's file
 * @param options `again`: put a file into force that was so before
 * @throws CupelError CUP_CONTRACT_BREAKING naming the changes and what each needs
 */
export async function admitContract(
  where: PublicationStore,
  file: CompiledContract,
  options: { again?: boolean } = {},
): Promise<CompiledContract> {
  const { source } = file;
  await update(where, source, async (now) => {
    if (!now) {
      await publishContract(where.store, where.opsBucket, file);
      const hashes = [file.hash];
      return { version: 1, hash: file.hash, lineage: hashes, file: file.hash, files: hashes, evolved: [] };
    }
    if (now.file === file.hash || (isSettled(now, file) && !options.again)) return undefined;
    const { publication, changes } = await next(where, now, file);
    if (gravest(changes) !== 'compatible') throw breaking(file, changes);
    return publication;
  });
  return inForceOf(where, source);
}

async function inForceOf(where: PublicationStore, source: string): Promise<CompiledContract> {
  const contract = await publishedContract(where, source);
  if (!contract) throw cupelError('CUP_CONTRACT_UNPUBLISHED', { source });
  return contract;
}

/**
 * Takes up fields that records turned out to have: from now on the source's contract has a nullable column for each. Fields that it
 * knows already change nothing, so asking again is harmless, and two jobs that saw the same field agree on its column.
 *
 * @param pinned hash of the contract under which they were seen: that of a rebuild takes up its own
 * @returns the contract that has them
 * @throws CupelError CUP_CONTRACT_UNPUBLISHED
 */
export async function takeUpFields(
  where: PublicationStore,
  source: string,
  pinned: string,
  seen: readonly SeenField[],
): Promise<CompiledContract> {
  const { store, opsBucket } = where;
  let hash = '';
  await update(where, source, async (now) => {
    if (!now) throw cupelError('CUP_CONTRACT_UNPUBLISHED', { source });
    const rebuilding = now.rebuild?.lineage.includes(pinned) ? now.rebuild : undefined;
    const of = rebuilding ?? now;
    hash = of.hash;
    const contract = await readContract(store, contractUri(opsBucket, source, of.hash));
    const fields = planFields(contract, seen);
    if (!fields.length) return undefined;
    const evolved = withFields(contract, fields);
    await publishContract(store, opsBucket, evolved);
    ({ hash } = evolved);
    const taken = { hash, lineage: once(of.lineage, hash), evolved: [...of.evolved, ...fields] };
    return rebuilding ? { ...now, rebuild: { ...rebuilding, ...taken } } : { ...now, ...taken };
  });
  return readContract(store, contractUri(opsBucket, source, hash));
}

/**
 * Says that a source is about to be rebuilt under a contract: runs go on under the one in force until then. Announcing the same
 * again changes nothing.
 *
 * @param file the compiled contract of a file
 * @returns the contract to rebuild under
 * @throws CupelError CUP_CONTRACT_UNPUBLISHED where there is nothing to rebuild
 */
export async function announceRebuild(where: PublicationStore, file: CompiledContract): Promise<CompiledContract> {
  const { source } = file;
  let contract = file;
  await update(where, source, async (now) => {
    if (!now) throw cupelError('CUP_CONTRACT_UNPUBLISHED', { source });
    contract = withFields(file, now.evolved);
    await publishContract(where.store, where.opsBucket, contract);
    const { hash } = contract;
    if (now.rebuild?.lineage.includes(hash)) return undefined;
    return { ...now, rebuild: { hash, lineage: [hash], file: file.hash, evolved: now.evolved } };
  });
  return contract;
}

/**
 * The contract of a rebuild that was announced, with the fields that it took up since; also after it was completed.
 *
 * @param announced hash
 * @throws CupelError CUP_CONTRACT_UNPUBLISHED when it was given up
 */
export async function contractOfRebuild(
  where: PublicationStore,
  source: string,
  announced: string,
): Promise<CompiledContract> {
  const now = await readPublication(where, source);
  const of = [now?.rebuild, now].find((candidate) => candidate?.lineage.includes(announced));
  if (!of) throw cupelError('CUP_CONTRACT_UNPUBLISHED', { source, rebuild: announced });
  return readContract(where.store, contractUri(where.opsBucket, source, of.hash));
}

/** Puts the contract of a rebuild into force: batches of those before it are refused from now on. Safe to repeat. */
export async function completeRebuild(where: PublicationStore, source: string, announced: string): Promise<void> {
  await update(where, source, (now) => {
    if (!now?.rebuild?.lineage.includes(announced)) return undefined;
    const { rebuild, ...rest } = now;
    return { ...rest, ...rebuild, files: once(now.files, rebuild.file) };
  });
}

/** Gives an announced rebuild up: everything stays as it is. Safe to repeat. */
export async function abandonRebuild(where: PublicationStore, source: string, announced: string): Promise<void> {
  await update(where, source, (now) => {
    if (!now?.rebuild?.lineage.includes(announced)) return undefined;
    const { rebuild: _abandoned, ...rest } = now;
    return rest;
  });
}
