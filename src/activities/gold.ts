import type { BigQuery } from '@google-cloud/bigquery';
import { cupelError } from '../errors.ts';
import { googleError, isNotFound } from '../gcp/errors.ts';
import { listSources, loadContract, loadGoldFreshness } from '../lakehouse/contract-store.ts';
import { rawTablesOf, relationsOf, selectActions, shortName, sqlOf } from '../lakehouse/gold/actions.ts';
import type { ActionSql, CompiledAction, GoldRelation } from '../lakehouse/gold/actions.ts';
import { dayState } from '../lakehouse/gold/day.ts';
import { judgeFreshness, newestTime } from '../lakehouse/gold/freshness.ts';
import type { TableFreshness } from '../lakehouse/gold/freshness.ts';
import { SAMPLE_ROWS, sampleOf } from '../lakehouse/gold/sample.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import type { ActivityResources } from './resources.ts';

/** Source of the ledger's events about Gold as a whole: a table of Gold may stand on several contracts. */
export const GOLD = 'gold';

/** How far the sources are with a day. */
export interface GoldDay {
  /** Slots that should be done. */
  expected: number;
  /** `<source> <feed>/YYYY-MM-DDTHH` of those that are not, at most 50. */
  late: string[];
  /** Number of those that are not. */
  lateSlots: number;
  /** Whether the day is older than what schedules plan again: then nothing comes by itself any more. */
  closed: boolean;
}

/** What Gold would read. */
export interface GoldBytes {
  bytes: number;
  /** The biggest actions first, at most 10. */
  biggest: { target: string; bytes: number }[];
  /** Actions whose tables do not exist yet, so that nobody knows. */
  unknown: string[];
}

/** A failed assertion, without its rows. */
export interface FailedAssertion {
  /** `<dataset>.<view>` */
  assertion: string;
  /** What Dataform said, such as the number of rows. */
  reason: string;
}

const TIMEOUT = { timeout: 60_000 };
const LATE_SHOWN = 50;
const HOUR_MS = 3_600_000;

/** Activities of the nightly Gold. */
export function goldActivities({ environment, bigquery, dataform, ledger, now }: ActivityResources) {
  const { contractsDirectory } = environment;

  async function actionsOf(compilation: string, tags: string[]): Promise<CompiledAction[]> {
    const actions: CompiledAction[] = [];
    try {
      for await (const action of dataform.queryCompilationResultActionsAsync({ name: compilation }, TIMEOUT))
        actions.push(action);
    } catch (error) {
      throw dataformError(compilation, error);
    }
    return selectActions(actions, tags);
  }

  return {
    /** Names of all sources that have a contract. */
    async goldSources(): Promise<string[]> {
      return listSources(contractsDirectory);
    },

    /** Tables of dataset `raw` that the actions read, directly or through others. */
    async readRawTables({ compilation, tags }: { compilation: string; tags: string[] }): Promise<string[]> {
      return rawTablesOf(await actionsOf(compilation, tags));
    },

    /** Which slots of a day the ledger does not show as done. */
    async lookAtGoldDay({ sources, date }: { sources: string[]; date: string }): Promise<GoldDay> {
      const day: GoldDay = { expected: 0, late: [], lateSlots: 0, closed: true };
      for (const source of sources) {
        const contract = await loadContract(contractsDirectory, source);
        const states = await ledger.latest(source, ['partition', 'gap', 'missing']);
        const { expected, late } = dayState(contract, states, date);
        const end = Date.parse(`${date}T00:00:00Z`) + 24 * HOUR_MS;
        day.closed &&= now() > end + contract.lookbackHours * HOUR_MS;
        day.expected += expected;
        day.lateSlots += late.length;
        day.late.push(...late.map((slot) => `${source} ${slot}`).slice(0, LATE_SHOWN - day.late.length));
      }
      return day;
    },

    /**
     * Asks BigQuery how many bytes the actions would read, without running them.
     *
     * @throws CupelError CUP_GOLD_BYTES_CAP naming the biggest actions
     */
    async dryRunGold({ compilation, tags }: { compilation: string; tags: string[] }): Promise<GoldBytes> {
      const statements = (await actionsOf(compilation, tags)).flatMap(sqlOf);
      const sizes = new Map<string, number>();
      const unknown: string[] = [];
      for (const statement of statements) {
        const bytes = await dryRun(bigquery, statement);
        if (bytes === undefined) unknown.push(statement.target);
        else sizes.set(statement.target, (sizes.get(statement.target) ?? 0) + bytes);
      }
      const all = [...sizes].map(([target, bytes]) => ({ target, bytes })).sort((a, b) => b.bytes - a.bytes);
      const bytes = all.reduce((sum, of) => sum + of.bytes, 0);
      if (bytes > environment.goldMaxBytes) {
        const biggest = all.slice(0, 3).map(({ target, bytes: of }) => `${target} ${of}`);
        throw cupelError('CUP_GOLD_BYTES_CAP', { bytes, cap: environment.goldMaxBytes, biggest: biggest.join('; ') });
      }
      return { bytes, biggest: all.slice(0, 10), unknown: unknown.slice(0, 10) };
    },

    /**
     * Enters a sample of the rows that each failed assertion found. The rows go into the ledger's table and nowhere else: what
     * is answered goes into Temporal's history.
     */
    async sampleAssertions({ invocation, date }: { invocation: string; date: string }): Promise<FailedAssertion[]> {
      const failed: (FailedAssertion & { name: string })[] = [];
      try {
        for await (const action of dataform.queryWorkflowInvocationActionsAsync({ name: invocation }, TIMEOUT)) {
          const { target, failureReason, state } = action;
          if (state !== 'FAILED' || !/assertion failed/i.test(failureReason ?? '')) continue;
          const { database, schema, name } = target ?? {};
          const view = `${database ?? ''}.${schema ?? ''}.${name ?? ''}`;
          failed.push({ assertion: shortName(target ?? {}), reason: failureReason ?? '', name: view });
        }
      } catch (error) {
        throw dataformError(invocation, error);
      }
      const at = new Date(now());
      const events = [];
      for (const { assertion, reason, name } of failed) {
        const sample = sampleOf(await failingRows(bigquery, name));
        const detail = { date, invocation, reason, sample };
        events.push(ledgerEvent('assertion', GOLD, assertion, 'failed', invocation, detail, at));
      }
      await ledger.append(events);
      return failed.map(({ assertion, reason }) => ({ assertion, reason }));
    },

    /** Enters that assertions which failed before hold now. */
    async passAssertions({ invocation }: { invocation: string }): Promise<void> {
      const states = await ledger.latest(GOLD, ['assertion']);
      const failed = states.filter(({ state }) => state === 'failed');
      const at = new Date(now());
      await ledger.append(
        failed.map(({ subject }) => ledgerEvent('assertion', GOLD, subject, 'passed', invocation, { invocation }, at)),
      );
    },

    /** Measures how fresh each table of Gold is, against what the contracts promise, and enters it. */
    async measureFreshness(input: {
      compilation: string;
      tags: string[];
      sources: string[];
      date: string;
      asOf: string;
      run: string;
    }): Promise<TableFreshness[]> {
      const relations = relationsOf(await actionsOf(input.compilation, input.tags));
      const found: TableFreshness[] = [];
      for (const relation of relations) {
        const { table } = relation;
        const promised = await Promise.all(
          input.sources.map((source) => loadGoldFreshness(contractsDirectory, source, table)),
        );
        // The strictest promise of the sources counts.
        const strictest = Math.min(...promised.filter((ms) => ms !== undefined));
        const newest = await newestOf(bigquery, relation);
        found.push(judgeFreshness(table, newest, input, Number.isFinite(strictest) ? strictest : undefined));
      }
      const at = new Date(now());
      await ledger.append(
        found.map(({ table, state, ...detail }) =>
          ledgerEvent('freshness', GOLD, table, state, '', { ...detail, date: input.date }, at, input.run),
        ),
      );
      return found;
    },

    /** Enters how the Gold of a day ended. */
    async recordGold(ended: { date: string; state: string; run: string; detail: object }): Promise<void> {
      const { date, state, run, detail } = ended;
      await ledger.append([ledgerEvent('materialization', GOLD, date, state, '', detail, new Date(now()), run)]);
    },
  };
}

/** Dataform that does not know what it made has forgotten it: then the night begins anew. */
function dataformError(name: string, error: unknown): Error {
  return isNotFound(error)
    ? cupelError('CUP_DATAFORM_LOST', { name }, error)
    : googleError('Dataform', `actions of ${name}`, error);
}

/** Bytes that a statement would read; undefined where nobody can know before something else has run. */
async function dryRun(bigquery: BigQuery, { target, queries, alone }: ActionSql): Promise<number | undefined> {
  for (const query of queries) {
    try {
      const [job] = await bigquery.createQueryJob({ query, dryRun: true });
      const { statistics } = job.metadata as { statistics?: { totalBytesProcessed?: string } };
      return Number(statistics?.totalBytesProcessed ?? 0);
    } catch (error) {
      const coded = googleError('BigQuery', `dry run of ${target}`, error);
      if (isNotFound(error) || (!alone && !coded.retryable)) continue;
      throw coded;
    }
  }
  return undefined;
}

/** Rows of an assertion's view; none where it is gone by now. */
async function failingRows(bigquery: BigQuery, view: string): Promise<Record<string, unknown>[]> {
  try {
    const [job] = await bigquery.createQueryJob({ query: `SELECT * FROM \`${view}\` LIMIT ${SAMPLE_ROWS}` });
    const [rows] = await job.getQueryResults();
    return rows as Record<string, unknown>[];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw googleError('BigQuery', `sample of ${view}`, error);
  }
}

async function newestOf(
  bigquery: BigQuery,
  { table, name, partitionBy }: GoldRelation,
): Promise<{ newestMs: number | undefined; by: TableFreshness['by'] }> {
  try {
    if (partitionBy) {
      const [job] = await bigquery.createQueryJob({ query: `SELECT MAX(${partitionBy}) AS newest FROM \`${name}\`` });
      const [rows] = await job.getQueryResults();
      return { newestMs: newestTime((rows as { newest?: unknown }[])[0]?.newest), by: 'event time' };
    }
    const [dataset = '', id = ''] = table.split('.');
    const [metadata] = await bigquery.dataset(dataset).table(id).getMetadata();
    const { lastModifiedTime } = metadata as { lastModifiedTime?: string };
    return { newestMs: lastModifiedTime ? Number(lastModifiedTime) : undefined, by: 'materialization' };
  } catch (error) {
    if (isNotFound(error)) return { newestMs: undefined, by: partitionBy ? 'event time' : 'materialization' };
    throw googleError('BigQuery', `freshness of ${table}`, error);
  }
}
