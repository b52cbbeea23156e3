import { setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Upkeep } from '../activities/silver.ts';
import type { OpsUpkeep } from '../activities/upkeep.ts';
import { short, upkeep } from './activities.ts';
import { announcing } from './announce.ts';
import { tagUpkeep } from './visibility.ts';

/** Which source is kept in order. */
export interface MaintainInput {
  source: string;
}

/** What upkeep did. */
export interface MaintainResult extends Upkeep {
  table: string;
  /** Audits that a terminated backfill left behind, dropped now. */
  audits: number;
  /** What runs left behind and was deleted. */
  ops: OpsUpkeep;
}

/**
 * Workflow `maintain/<source>/<date>`: compaction, expiry and orphan sweep by the contract's policy, done by the table's
 * committer, and the sweep of what runs leave in the ops bucket.
 */
export async function maintain({ source }: MaintainInput): Promise<MaintainResult> {
  tagUpkeep({ kind: 'maintain', source }, `Upkeep of **${source}**: waits for the committer`);
  const { runId: run } = workflowInfo();
  return announcing(`maintain/${source}`, source, async () => {
    const { table, uri: contractUri } = await short.resolveContract({ source });
    const done = await upkeep.requestMaintenance({ table, contractUri, run });
    const audits = await dropAudits(contractUri);
    const result: MaintainResult = { table, ...done, audits, ops: await upkeep.sweepOps({ contractUri }) };
    await short.recordUpkeep({ source, table, run, numbers: result });
    setCurrentDetails(maintainDetails(result));
    return result;
  });
}

async function dropAudits(contractUri: string): Promise<number> {
  const auditIds = await upkeep.closedAudits({ contractUri });
  for (const auditId of auditIds) {
    await upkeep.dropAuditDatasets({ auditId }); // first: the table is what the next upkeep would find
    await upkeep.dropAudit({ contractUri, auditId });
  }
  return auditIds.length;
}

function maintainDetails({ table, compactedFiles, expiredSnapshots, orphans, audits, ops }: MaintainResult): string {
  return [
    `**${table}** is in order`,
    '',
    '| files compacted | snapshots expired | orphans deleted | audits dropped | plans | chunks | deltas | streamed batches |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    `| ${compactedFiles} | ${expiredSnapshots} | ${orphans} | ${audits} | ${ops.plans} | ${ops.chunks} | ${ops.deltas} | ${ops.streamed} |`,
  ].join('\n');
}
