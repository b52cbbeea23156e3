import { ApplicationFailure, isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { FailedAssertion } from '../activities/gold.ts';
import type { TableFreshness } from '../lakehouse/gold/freshness.ts';
import { short } from './activities.ts';
import { announce, announcing } from './announce.ts';
import { codeOf, messageOf } from './failures.ts';
import { assertionDetails, failureDetails, goldDetails } from './gold-details.ts';
import { anewWhenLost, awaitGold, compileGold, coveredBy, GOLD_TAG, isMade, startGold } from './gold-run.ts';
import type { CompiledGold } from './gold-run.ts';
import { canonicalDate, waitForDay } from './gold-wait.ts';
import { goldTurnsId } from './ids.ts';
import { inGoldTurn } from './in-gold-turn.ts';
import { enterStage, tag } from './visibility.ts';

/** Gold of one day. */
export interface NightlyGoldInput {
  /** UTC day whose partitions are waited for, `YYYY-MM-DD`. */
  date: string;
  /** The only source that Gold stands on. Default: `sources`. */
  source?: string;
  /** Sources that Gold stands on. Default: every contract. */
  sources?: string[];
  /** Tags of the Dataform actions; what they need runs too. Default: gold. Others always run. */
  tags?: string[];
  /**
   * When to go on without partitions that are late: a UTC time, or a time after the start such as `90m`. Default: `3h`; at once
   * for a day that no schedule plans again, since nothing comes by itself.
   */
  deadline?: string;
}

/** What became of a night. */
export interface NightlyGoldResult {
  date: string;
  /** `empty`: Silver holds nothing yet. `unchanged`: the same SQL has run over the same snapshots. */
  state: 'materialized' | 'unchanged' | 'empty';
  /** Time that every action read Silver as of. */
  asOf: string | null;
  invocation: string | null;
  /** Bytes that the actions read by dry run. */
  bytes: number;
  /** Slots of the day that were not there when waiting ended, `<source> <feed>/YYYY-MM-DDTHH`, at most 50. */
  late: string[];
  /** Number of slots that were not there. */
  lateSlots: number;
  freshness: TableFreshness[];
}

/** A night's Gold, compiled; without fingerprints for tags of one's own, which say nothing of all of Gold. */
interface Night extends CompiledGold {
  date: string;
  tags: string[];
}

const SUBJECT = 'gold';

const DEFAULT_TAGS = [GOLD_TAG];

/**
 * Workflow `gold/<date>`: waits for the day's partitions or a deadline, then for Gold's turn; compiles once for one time of Silver,
 * asks what it costs, runs Dataform, gives the turn back, measures how fresh the tables are, and tells people when it fails and when it is well again. Failed assertions
 * are an outcome of the data: they are entered with a sample of the rows, told, and fail the run; nothing is tried again.
 */
export async function nightlyGold(input: NightlyGoldInput): Promise<NightlyGoldResult> {
  const date = canonicalDate(input.date);
  const run = workflowInfo().runId;
  const sources = input.source ? [input.source] : (input.sources ?? (await short.goldSources()));
  const [only, ...others] = sources;
  const range = { from: `${date}T00:00:00Z`, to: nextDay(date) };
  tag({ source: only && !others.length ? only : SUBJECT, kind: 'gold', stage: 'wait', range }, `**Gold of ${date}**`);
  return announcing(SUBJECT, SUBJECT, async () => {
    try {
      const day = await waitForDay(sources, date, input.deadline);
      const made = await compileAndMake(date, sources, input.tags ?? DEFAULT_TAGS, run);
      const result = { date, ...made, late: day.late, lateSlots: day.lateSlots };
      const { state, ...detail } = result;
      await short.recordGold({ date, state, run, detail });
      enterStage('done', goldDetails(date, result));
      return result;
    } catch (error) {
      if (!isCancellation(error)) await recordFailure(date, run, error);
      throw error;
    }
  });
}

type Made = Pick<NightlyGoldResult, 'state' | 'asOf' | 'invocation' | 'bytes'>;

const EMPTY: Made = { state: 'empty', asOf: null, invocation: null, bytes: 0 };

const nextDay = (date: string): string =>
  `${new Date(Date.parse(`${date}T00:00:00Z`) + 24 * 3_600_000).toISOString().slice(0, 10)}T00:00:00Z`;

/** A night from its compilation to its freshness; from the beginning where Dataform forgot what it was doing. */
async function compileAndMake(
  date: string,
  sources: string[],
  tags: string[],
  run: string,
): Promise<Made & Pick<NightlyGoldResult, 'freshness'>> {
  return anewWhenLost(async () => {
    setCurrentDetails(`**Gold of ${date}** waits for its turn: workflow \`${goldTurnsId()}\` says for whom`);
    const { night, made } = await inGoldTurn(async () => {
      const compiled = await compile(date, sources, tags);
      return { night: compiled, made: compiled ? await make(compiled, run) : EMPTY };
    });
    return { ...made, freshness: night ? await measure(night, sources, run) : [] };
  });
}

/** Takes the newest snapshots and one time, and compiles for it; undefined while no source has a snapshot. */
async function compile(date: string, sources: string[], tags: string[]): Promise<Night | undefined> {
  enterStage('plan', `**Gold of ${date}** is compiled`);
  const gold = await compileGold({ sources });
  if (!gold) return undefined;
  // The fingerprints of `materialize`, so that either sees what the other has made; other tags are always run.
  const isDefault = tags.join() === DEFAULT_TAGS.join();
  return { ...gold, date, tags, fingerprints: isDefault ? gold.fingerprints : [] };
}

/** Runs what was compiled, unless that is made already or would read too much. */
async function make(night: Night, run: string): Promise<Made> {
  const { date, tags, asOf, compilation, fingerprints } = night;
  if (fingerprints.length && (await isMade(fingerprints, true)))
    return { state: 'unchanged', asOf, invocation: null, bytes: 0 };
  const { bytes } = await short.dryRunGold({ compilation, tags });
  enterStage('materialize', `**Gold of ${date}** is made: ${bytes} bytes by dry run, Silver as of ${asOf}`);
  const made = await coveredBy(night);
  const invocation = await startGold(compilation, tags);
  try {
    await awaitGold(invocation);
  } catch (error) {
    if (codeOf(error) === ASSERTION_FAILED) throw await assertionFailure(date, invocation, run);
    throw error;
  }
  if (made.length) await short.recordMaterialization({ made, invocation, asOf });
  await short.passAssertions({ invocation });
  return { state: 'materialized', asOf, invocation, bytes };
}

const ASSERTION_FAILED = 'CUP_DATAFORM_ASSERTION_FAILED';

/** The outcome of failed assertions as the failure that the run ends with. */
async function assertionFailure(date: string, invocation: string, run: string): Promise<ApplicationFailure> {
  const assertions: FailedAssertion[] = await short.sampleAssertions({ invocation, date });
  setCurrentDetails(assertionDetails(date, assertions));
  const outcome = { state: 'assertions-failed', assertions, invocation };
  await short.recordGold({ date, run, ...{ state: outcome.state, detail: { assertions, invocation } } });
  const named = assertions.map(({ assertion }) => assertion).join(', ');
  return ApplicationFailure.nonRetryable(
    `Gold of ${date} was written and ${assertions.length} assertions failed: ${named}`,
    ASSERTION_FAILED,
    outcome,
  );
}

/** Measures how fresh the tables are, and tells of each that turns stale or fresh. */
async function measure(night: Night, sources: string[], run: string): Promise<TableFreshness[]> {
  const { compilation, tags, date, asOf } = night;
  enterStage('verify', `**Gold of ${date}** is made; its freshness is measured`);
  const freshness = await short.measureFreshness({ compilation, tags, sources, date, asOf, run });
  for (const { table, state, newest, promisedSeconds } of freshness) {
    if (state === 'unpromised') continue;
    const reason = `${table} reaches ${newest ?? 'nothing'} on ${date}; promised are ${promisedSeconds ?? 0} s`;
    const health = state === 'stale' ? 'failed' : 'healthy';
    await announce({ subject: `freshness/${table}`, source: SUBJECT, state: health, reason });
  }
  return freshness;
}

async function recordFailure(date: string, run: string, error: unknown): Promise<void> {
  const code = codeOf(error);
  if (code === ASSERTION_FAILED) return; // entered with its assertions
  setCurrentDetails(failureDetails(date, code, messageOf(error)));
  await short.recordGold({ date, state: 'failed', run, detail: { code } });
}
