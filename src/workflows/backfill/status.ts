import type { BackfillStatus } from './messages.ts';
import { workedMs } from './state.ts';
import type { BackfillState } from './state.ts';

/** What a backfill tells about itself. */
export function statusOf(source: string, state: BackfillState, now: number): BackfillStatus {
  const { counts, plan, running, pending } = state;
  const { toProcess, chunks } = plan.totals;
  const awaited = pending.filter(({ again }) => !again).flatMap(({ batches }) => batches);
  const awaitedPartitions = awaited.reduce((sum, { partitions }) => sum + partitions, 0);
  // One of which a part failed is told of among the failed chunks.
  const committing = pending.filter(({ failed }) => !failed).length;
  const runningPartitions = running.reduce((sum, { reference }) => sum + reference.partitions, awaitedPartitions);
  const remaining = toProcess.partitions - counts.partitionsDone - counts.partitionsFailed;
  const minutes = state.phase === 'planning' ? 0 : workedMs(state, now) / 60_000;
  const rate = counts.partitionsDone > 0 && minutes > 0 ? counts.partitionsDone / minutes : null;
  return {
    source,
    from: state.from,
    to: state.to,
    phase: state.phase,
    paused: state.paused ?? null,
    stopping: state.stopping,
    maxConcurrency: state.maxConcurrency,
    plan: state.phase === 'planning' ? null : plan,
    partitions: {
      total: toProcess.partitions,
      done: counts.partitionsDone,
      failed: counts.partitionsFailed,
      running: runningPartitions,
      remaining: remaining - runningPartitions,
    },
    chunks: {
      total: chunks,
      done: counts.chunksDone,
      failed: state.failedChunks.length,
      running: running.length,
      committing,
      remaining: chunks - counts.chunksDone - state.failedChunks.length - running.length - committing,
    },
    bytes: { total: toProcess.bytes, done: counts.bytesDone },
    rows: counts.rows,
    ratePerMinute: rate === null ? null : Math.round(rate * 10) / 10,
    etaSeconds: rate === null ? null : Math.round((remaining / rate) * 60),
    running: running.map(({ workflowId }) => workflowId),
    failures: state.failures,
    audit: state.audit ?? null,
  };
}

/** Bytes as people read them. */
export function readableBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power ? (bytes / 2 ** (10 * power)).toFixed(1) : bytes} ${units[power]}`;
}

/** A span as people read it: `2 h 05 min`. */
export function readableSpan(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** What stands first: what it does now, and what a person may have to do. */
export function headline(status: BackfillStatus, workflowId: string): string {
  const { failed } = status.partitions;
  if (status.paused) return `PAUSED: ${status.paused.reason}. Type \`cupel backfill resume ${workflowId}\``;
  if (status.phase === 'awaiting approval')
    return `AWAITS APPROVAL: look at \`${status.audit?.table ?? ''}\` and \`${status.audit?.dataset ?? ''}\`. Type \`cupel backfill approve ${workflowId}\` or \`cupel backfill reject ${workflowId}\``;
  const trouble = failed ? `; ${failed} FAILED. Type \`cupel backfill retry ${workflowId}\`` : '';
  const doing = status.stopping && status.phase === 'running' ? 'stopping: running chunks end' : status.phase;
  return `${doing}${trouble}`;
}

function link(namespace: string, workflowId: string, text: string): string {
  return `[${text}](/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)})`;
}

/** What Temporal's Web UI shows of a backfill, in markdown. */
export function backfillDetails(status: BackfillStatus, workflowId: string, namespace: string): string {
  const { partitions, chunks, bytes } = status;
  const rate = status.ratePerMinute === null ? 'no rate yet' : `${status.ratePerMinute} partitions a minute`;
  const eta = status.etaSeconds === null ? '' : `, about ${readableSpan(status.etaSeconds)} left`;
  const lines = [
    `**${status.source}** ${status.from} → ${status.to}`,
    '',
    `**${headline(status, workflowId)}**`,
    '',
    '| | done | running | failed | remaining | of |',
    '| --- | --- | --- | --- | --- | --- |',
    `| partitions | ${partitions.done} | ${partitions.running} | ${partitions.failed} | ${partitions.remaining} | ${partitions.total} |`,
    `| chunks | ${chunks.done} | ${chunks.running + chunks.committing} | ${chunks.failed} | ${chunks.remaining} | ${chunks.total} |`,
    '',
    `${readableBytes(bytes.done)} of ${readableBytes(bytes.total)}, ${status.rows} rows; ${rate}${eta}; at most ${status.maxConcurrency} chunks at once`,
  ];
  if (status.failures.length) lines.push('', '| failed partition | code |', '| --- | --- |');
  for (const failure of status.failures.slice(-20))
    lines.push(`| ${link(namespace, failure.workflowId, failure.partition)} | ${failure.code} |`);
  return lines.join('\n');
}
