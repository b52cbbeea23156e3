import { WorkflowFailedError } from '@temporalio/client';
import type { BackfillStatus } from '../../../workflows/backfill/messages.ts';
import { headline, readableBytes, readableSpan } from '../../../workflows/backfill/status.ts';

/** One line that tells how far it is. */
export function progressLine({ partitions, bytes, ratePerMinute, etaSeconds, phase, paused }: BackfillStatus): string {
  const state = paused ? 'paused' : phase;
  const rate = ratePerMinute === null ? '' : `, ${ratePerMinute} a minute`;
  const eta = etaSeconds === null || !partitions.remaining ? '' : `, ${readableSpan(etaSeconds)} left`;
  const failed = partitions.failed ? `, ${partitions.failed} FAILED` : '';
  return `${state}: ${partitions.done} of ${partitions.total} partitions${failed}, ${partitions.running} running, ${readableBytes(bytes.done)} of ${readableBytes(bytes.total)}${rate}${eta}`;
}

/** The whole status, for people. */
export function statusLines(status: BackfillStatus, workflowId: string): string[] {
  const { partitions, chunks, plan } = status;
  const cost = plan ? `${plan.cost.total} ${plan.cost.currency}, ${plan.cost.jobs} jobs` : 'not planned yet';
  return [
    workflowId,
    headline(status, workflowId).replaceAll('`', ''),
    progressLine(status),
    `chunks     ${chunks.done} done, ${chunks.running} running, ${chunks.committing} being committed, ${chunks.failed} failed, ${chunks.remaining} remaining, at most ${status.maxConcurrency} at once`,
    `rows       ${status.rows} in committed batches; ${partitions.failed} partitions failed`,
    `estimate   ${cost}`,
    ...status.running.map((id) => `running    ${id}`),
    ...status.failures.map(({ partition, code, workflowId: of }) => `failed     ${partition}  ${code}  ${of}`),
  ];
}

/** Why a workflow failed, from the outermost failure that says something of Cupel's. */
export function failureOf(error: unknown): string {
  let at: unknown = error;
  while (
    at instanceof Error &&
    at.cause instanceof Error &&
    (at instanceof WorkflowFailedError || !/CUP_|:/.test(at.message))
  )
    at = at.cause;
  return at instanceof Error ? at.message : String(at);
}
