import { ApplicationFailure, CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import { short, waiting, working } from '../activities.ts';
import { codeOf } from '../failures.ts';
import { settleGroup } from '../settle-batches.ts';
import type { BackfillSettings } from './input.ts';
import { show } from './show.ts';
import type { BackfillState } from './state.ts';

/** Batches that are merged and settled together, as the committer does. */
const GROUP = 200;

type Checks = 'passed' | 'failed';

/**
 * Merges what was processed into an audit table, runs the checks on it, waits for an approval, and only then hands the
 * batches to the committer of the real table. The audit goes away however this ends.
 *
 * @throws ApplicationFailure CUP_BACKFILL_REJECTED; the real table is as it was
 */
export async function publishAudited(settings: BackfillSettings, state: BackfillState): Promise<void> {
  show(settings, state, 'auditing');
  const contractUri = state.contract.uri;
  const auditId = workflowInfo().firstExecutionRunId.replaceAll('-', '').slice(0, 12);
  try {
    const checks = await audit(state, contractUri, auditId);
    if (!checks) return; // there is nothing to publish
    if ((await decide(settings, state, checks)) === 'rejected') throw rejected(state, checks);
    show(settings, state, 'publishing');
    await publish(state);
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await working.dropAudit({ contractUri, auditId });
      await short.dropAuditDatasets({ auditId });
    });
  }
}

function thisRun(): { workflowId: string; runId: string } {
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  return { workflowId, runId };
}

/** The batches of this backfill, a group at a time. */
async function* remembered(): AsyncGenerator<string[]> {
  for (let after: string | undefined; ;) {
    const group = await short.rememberedBatches({
      backfill: thisRun(),
      limit: GROUP,
      ...(after === undefined ? {} : { after }),
    });
    if (group.length) yield group;
    if (group.length < GROUP) return;
    after = group.at(-1);
  }
}

/** Makes the audit table and checks it; undefined where nothing was processed. */
async function audit(state: BackfillState, contractUri: string, auditId: string): Promise<Checks | undefined> {
  let asOf: string | undefined;
  let table = '';
  for await (const batchIds of remembered()) {
    // Cancelled, both are waited for: what they make must not come after it was dropped.
    if (!table) ({ table } = await waiting.createAudit({ contractUri, auditId, run: thisRun() }));
    ({ asOf } = await waiting.mergeIntoAudit({ contractUri, auditId, batchIds }));
  }
  if (asOf === undefined) return undefined;
  const checks = await check(state.contract.table, table, auditId, asOf);
  state.audit = { table, dataset: `gold_audit_${auditId}`, checks };
  return checks;
}

const nameOf = (table: string): string => table.slice(table.indexOf('.') + 1);

/** Runs Gold and its assertions over the audit table, into datasets of their own. */
async function check(real: string, auditTable: string, auditId: string, asOf: string): Promise<Checks> {
  const compilation = await short.compileDataform({
    asOf,
    vars: { silver_tables: `${nameOf(real)}=${nameOf(auditTable)}` },
    schemaSuffix: `audit_${auditId}`,
  });
  const start = { compilationResult: compilation.name, tags: ['gold'] };
  const invocation = await CancellationScope.nonCancellable(() => short.startDataform(start));
  try {
    await waiting.awaitDataform({ invocation });
    return 'passed';
  } catch (error) {
    if (codeOf(error) !== 'CUP_DATAFORM_ASSERTION_FAILED') throw error;
    return 'failed';
  }
}

async function decide(
  settings: BackfillSettings,
  state: BackfillState,
  checks: Checks,
): Promise<'approved' | 'rejected'> {
  if (settings.approval === 'checks') return checks === 'passed' ? 'approved' : 'rejected';
  show(settings, state, 'awaiting approval');
  await condition(() => state.audit?.decision !== undefined);
  return state.audit?.decision ?? 'rejected';
}

/** Hands every batch to the committer; each that it can take is committed, also where another one is refused. */
async function publish(state: BackfillState): Promise<void> {
  const refused: { code: string; message: string }[] = [];
  for await (const batchIds of remembered()) {
    const { outcomes, refusals } = await settleGroup(batchIds, state.contract);
    for (const { rows } of outcomes.values()) state.counts.rows += rows;
    refused.push(...refusals);
  }
  const [first] = refused;
  if (!first) return;
  const message = `${refused.length} batches cannot be committed: ${first.message}`;
  throw ApplicationFailure.nonRetryable(message, first.code);
}

function rejected({ audit: seen }: BackfillState, checks: Checks): ApplicationFailure {
  const message = `the audit of ${seen?.table ?? ''} was rejected (checks ${checks}); the real table is as it was`;
  return ApplicationFailure.nonRetryable(message, 'CUP_BACKFILL_REJECTED', { checks });
}
