import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { PlanSummary } from '../activities/plans.ts';
import { short, working } from './activities.ts';
import { pipelineDetails } from './pipeline-details.ts';
import { materialize } from './materialize.ts';
import type { Materialized } from './materialize.ts';
import { processChunks } from './process-chunks.ts';
import { canonicalRange } from './range.ts';
import type { Range } from './range.ts';
import { refuseFailed } from './refuse-failed.ts';
import { settleBatches } from './settle-batches.ts';
import type { Settled } from './settle-batches.ts';
import { enterStage, tag } from './visibility.ts';

/** A run over a range of a source. */
export interface PipelineInput extends Range {
  source: string;
}

/** What a run did. */
export interface PipelineResult {
  range: Range;
  contractHash: string;
  plan: PlanSummary;
  /** Objects that validation refused as a whole; they are in quarantine. */
  refusedObjects: number;
  batches: Settled;
  gold: Materialized;
  /** Milliseconds by stage, from Temporal's own clock. */
  stageMs: Record<'validate' | 'process' | 'materialize', number>;
}

/**
 * Workflow `pipeline/<source>/<from>/<to>`: plan → validate → process → settle → materialize. What is done already with the
 * same fingerprint is skipped, so running it again is cheap and changes nothing.
 */
export async function pipeline(input: PipelineInput): Promise<PipelineResult> {
  const { source } = input;
  const range = canonicalRange(input);
  tag({ source, kind: 'pipeline', stage: 'plan', range }, pipelineDetails(range, 'plans'));
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  await short.acquireLease({ source, lease: { range, workflowId, runId } });
  try {
    return await run(source, range);
  } finally {
    await CancellationScope.nonCancellable(() => short.releaseLease({ source, workflowId, runId }));
  }
}

async function run(source: string, range: Range): Promise<PipelineResult> {
  const contract = await short.resolveContract({ source });
  const started = Date.now();
  const plan = await working.planRange({ ...range, contractUri: contract.uri });
  enterStage('validate', pipelineDetails(range, `checks ${plan.toProcess} of ${plan.objects} objects`, plan));
  const { chunks, refused } = await working.validatePlan({ planUri: plan.planUri, contractUri: contract.uri });
  const validated = Date.now();
  enterStage('process', pipelineDetails(range, `processes ${chunks.length} chunks`, plan));
  const processed = await processChunks(chunks, contract.uri);
  enterStage('settle', pipelineDetails(range, `commits ${processed.published.length} batches`, plan));
  const batches = await settleBatches(processed.published, contract);
  const settledAt = Date.now();
  enterStage('materialize', pipelineDetails(range, 'materializes Gold', plan));
  const gold = await materialize({ source });
  await refuseFailed(source, processed.failed);
  enterStage(
    'done',
    pipelineDetails(range, `done: ${batches.rows} rows in ${batches.committed} committed batches`, plan),
  );
  const stageMs = {
    validate: validated - started,
    process: settledAt - validated,
    materialize: Date.now() - settledAt,
  };
  return { range, contractHash: contract.hash, plan, refusedObjects: refused, batches, gold, stageMs };
}
