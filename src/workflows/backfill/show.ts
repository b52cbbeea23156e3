import { setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { enterStage } from '../visibility.ts';
import type { Stage } from '../visibility.ts';
import type { BackfillSettings } from './input.ts';
import type { BackfillState } from './state.ts';
import { backfillDetails, statusOf } from './status.ts';

const STAGES: Record<BackfillState['phase'], Stage> = {
  planning: 'plan',
  running: 'process',
  auditing: 'audit',
  'awaiting approval': 'approval',
  publishing: 'settle',
  verifying: 'verify',
  materializing: 'materialize',
  done: 'done',
};

function detailsOf({ source }: BackfillSettings, state: BackfillState): string {
  const { workflowId, namespace } = workflowInfo();
  return backfillDetails(statusOf(source, state, Date.now()), workflowId, namespace);
}

/** Shows where the backfill stands in Temporal's Web UI: no event, so as often as anything changes. */
export function refresh(settings: BackfillSettings, state: BackfillState): void {
  setCurrentDetails(detailsOf(settings, state));
}

/** Enters a phase and shows it. */
export function show(settings: BackfillSettings, state: BackfillState, phase: BackfillState['phase']): void {
  state.phase = phase;
  enterStage(STAGES[phase], detailsOf(settings, state));
}
