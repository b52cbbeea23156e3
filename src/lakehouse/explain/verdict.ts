import { compareOrder, orderColumns } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import type { Processing } from './batches.ts';
import { judge } from './judge.ts';
import type { Judgement } from './judge.ts';
import type { FoundRecord, UnreadableObject } from './scan.ts';

/** Whether Silver holds what the law says, and where it does not, why. */
export interface Verdict {
  /**
   * - `agrees`: Silver holds the row of the record that wins, or none where none was accepted.
   * - `pending`: what should win has landed and is not committed yet.
   * - `stale`: the row is what another contract or other rules made; its partition is to be processed again.
   * - `fault`: what should win was committed, and Silver does not hold it. Nobody has explained that.
   * - `unproven`: what Silver holds was not found, and need not have been: the search was limited, or the archive is behind.
   * - `nothing`: nothing of the key ever landed.
   */
  state: 'agrees' | 'pending' | 'stale' | 'fault' | 'unproven' | 'nothing';
  /** One sentence for people. */
  text: string;
}

/** A record with what became of it. */
export interface Candidate {
  record: FoundRecord;
  row: Row;
  processing: Processing;
}

/** What a verdict is made of. */
export interface Evidence {
  contract: CompiledContract;
  judgement: Judgement<Candidate> | undefined;
  candidates: Candidate[];
  /** Every record found, also those that are refused. */
  records: FoundRecord[];
  unreadable: UnreadableObject[];
  /** Rows of Silver: one, if all is well. */
  rows: Row[];
  /** Whether only a part of Bronze was searched. */
  limited: boolean;
  /** Whether Bronze holds an object. */
  bronzeHolds(object: string): boolean;
}

const short = (hash: unknown): string => String(hash).slice(0, 12);

const nameOf = ({ record }: Candidate): string => `${record.object}#${record.offset}`;

/** A batch of the present contract that holds the record is settled: Silver must hold it or something greater. */
const isCommitted = ({ hash }: CompiledContract, { processing }: Candidate): boolean =>
  processing.state === 'settled' && processing.contract === hash;

/** What keeps a record from Silver. */
function pendingText(processing: Processing): string {
  if (processing.state === 'waiting') return `batch ${short(processing.batchId)} holds it and waits for the committer`;
  if (processing.state === 'failed') return `the newest run over its partition failed with ${processing.code}`;
  if (processing.state === 'landed') {
    if (processing.sweptThrough === undefined) return 'no batch has taken it';
    return `no batch of Bronze has taken it, and streamed ones are no longer kept up to ${processing.sweptThrough}`;
  }
  return 'its partition has changed since it was processed';
}

/** Silver's row comes before the winner. */
function behind(evidence: Evidence, judgement: Judgement<Candidate>, silver: Row | undefined): Verdict {
  const { contract, candidates } = evidence;
  const { winner } = judgement;
  const holds = silver ? `Silver holds ${String(silver._record_id)}` : 'Silver has no row';
  const committed = judge(
    contract,
    candidates.filter((of) => isCommitted(contract, of)).map((of) => ({ of, row: of.row })),
  );
  if (committed && (!silver || compareOrder(contract, committed.row, silver) > 0)) {
    const { processing } = committed.winner;
    const batch = processing.state === 'settled' ? short(processing.batchId) : '';
    return {
      state: 'fault',
      text: `${nameOf(committed.winner)} should be the row: batch ${batch} holds it and is settled, but ${holds}`,
    };
  }
  const { processing } = winner;
  if (processing.state === 'settled')
    return {
      state: 'stale',
      text: `${nameOf(winner)} was processed under contract ${short(processing.contract)} and not under the one in force; ${holds}`,
    };
  return {
    state: 'pending',
    text: `${nameOf(winner)} has landed and is not committed yet: ${pendingText(processing)}; ${holds}`,
  };
}

/** Silver's row comes after everything that was found. */
function ahead(evidence: Evidence, silver: Row): Verdict {
  const { contract, records, unreadable, limited, bronzeHolds } = evidence;
  const id = String(silver._record_id);
  const object = String(silver._bronze_object);
  const holds = `Silver holds ${id}, made by contract ${short(silver._contract)}`;
  const known = records.find(({ recordId }) => recordId === id);
  if (known && 'refused' in known.made)
    return { state: 'stale', text: `${holds}; the contract in force refuses that record: ${known.made.refused.code}` };
  if (known && silver._contract !== contract.hash)
    return { state: 'stale', text: `${holds}, of which the contract in force makes another row` };
  if (limited) return { state: 'unproven', text: `${holds}; it is outside of what was searched` };
  if (contract.unpack.kind === 'pubsub-avro' && !known)
    return { state: 'unproven', text: `${holds}; no archive in Bronze holds its message yet` };
  const broken = unreadable.find((of) => of.object === object);
  if (broken) return { state: 'stale', text: `${holds}; its object cannot be read now: ${broken.code}` };
  if (!known && bronzeHolds(object) && silver._contract !== contract.hash)
    return { state: 'stale', text: `${holds}; under the contract in force that record has another key` };
  return { state: 'fault', text: `${holds}, and no record that was found makes this row` };
}

/** Columns in which two rows differ, but for where they come from and what the law keeps beside the winner. */
function differences({ columns }: CompiledContract, a: Row, b: Row): string[] {
  return columns.map(({ name }) => name).filter((name) => (a[name] ?? null) !== (b[name] ?? null));
}

/** The same record: are its values, and the least version, what they should be? */
function level(evidence: Evidence, judgement: Judgement<Candidate>, silver: Row): Verdict {
  const { contract, candidates, limited } = evidence;
  const differing = differences(contract, judgement.row, silver);
  if (differing.length) {
    const text = `Silver holds the record that wins, with other values in ${differing.join(', ')}: contract ${short(silver._contract)} made it`;
    return { state: silver._contract === contract.hash ? 'fault' : 'stale', text };
  }
  const least = judgement.row._first_version ?? null;
  const held = silver._first_version ?? null;
  if (least !== null && held !== null && held > least) {
    const older = candidates.filter(({ row }) => (row._first_version ?? held) < held);
    const text = `Silver holds the record that wins, but its _first_version is not that of ${nameOf(older[0] as Candidate)}`;
    if (older.some((of) => isCommitted(contract, of))) return { state: 'fault', text };
    return { state: 'pending', text: `${text}, which is not committed yet` };
  }
  if (least !== null && held !== null && held < least && !limited)
    return { state: 'unproven', text: 'Silver holds the record that wins; no record found has its _first_version' };
  return { state: 'agrees', text: 'Silver holds the row of the record that wins' };
}

/** A row that differs in the version of the rules only is the same record, made by others. */
function sameButRules(contract: CompiledContract, a: Row, b: Row): boolean {
  return orderColumns(contract).every((column) => column === '_rules_version' || (a[column] ?? 0) === (b[column] ?? 0));
}

/** Compares what the law says with what Silver holds. */
export function verdictOf(evidence: Evidence): Verdict {
  const { contract, judgement, records, rows } = evidence;
  const [silver, ...more] = rows;
  if (more.length) return { state: 'fault', text: `Silver holds the key ${rows.length} times` };
  if (!judgement && !silver) {
    if (!records.length) return { state: 'nothing', text: 'no record of this key was found' };
    return { state: 'agrees', text: 'no record of this key was accepted, and Silver has no row' };
  }
  if (!judgement) return ahead(evidence, silver as Row);
  const order = silver ? compareOrder(contract, judgement.row, silver) : 1;
  if (silver && order !== 0 && sameButRules(contract, judgement.row, silver))
    return {
      state: 'stale',
      text: `Silver holds the record that wins, as rules version ${String(silver._rules_version)} made it; in force is ${contract.rulesVersion}`,
    };
  if (order > 0) return behind(evidence, judgement, silver);
  return order < 0 ? ahead(evidence, silver as Row) : level(evidence, judgement, silver as Row);
}
