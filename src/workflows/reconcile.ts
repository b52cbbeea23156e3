import { setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Reconciliation } from '../lakehouse/upkeep/reconcile.ts';
import { short, upkeep } from './activities.ts';
import { announcing } from './announce.ts';
import { canonicalRange } from './range.ts';
import type { Range } from './range.ts';
import { tagUpkeep } from './visibility.ts';

/** A range of a source whose Bronze is compared with what is told of it. */
export interface ReconcileInput extends Range {
  source: string;
}

/** What a reconciliation found and mended. */
export interface ReconcileResult extends Reconciliation {
  range: Range;
  /** Dropped files whose finalize event was lost; they are being taken now. */
  filesTaken: number;
}

/**
 * Workflow `reconcile/<source>/<from>/<to>`: Bronze against the ledger's arrivals and the outbox. Objects whose finalize event
 * was lost are registered, records that a crash left unpublished go out, holes that are filled are taken back.
 */
export async function reconcile(input: ReconcileInput): Promise<ReconcileResult> {
  const { source } = input;
  const range = canonicalRange(input);
  tagUpkeep({ kind: 'reconcile', source, range }, `Compares Bronze of **${source}**, ${range.from} → ${range.to}`);
  const { runId: run } = workflowInfo();
  return announcing(`reconcile/${source}`, source, async () => {
    const { uri } = await short.resolveContract({ source });
    const found = await upkeep.reconcileBronze({ contractUri: uri, ...range, run });
    setCurrentDetails(reconcileDetails(source, range, found));
    return { range, ...found };
  });
}

function reconcileDetails(source: string, range: Range, found: Omit<ReconcileResult, 'range'>): string {
  return [
    `**${source}**, ${range.from} → ${range.to}`,
    '',
    '| objects | known | registered now | refused | republished | missing runs | gaps (covered) | taken back | files taken |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    `| ${found.objects} | ${found.arrived} | ${found.registered} | ${found.refused} | ${found.republished} | ${found.missingRuns} | ${found.gaps} (${found.coveredGaps}) | ${found.found} | ${found.filesTaken} |`,
  ].join('\n');
}
