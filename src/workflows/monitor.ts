import { setCurrentDetails } from '@temporalio/workflow';
import type { Finding } from '../lakehouse/upkeep/stale.ts';
import { short } from './activities.ts';
import { announce } from './announce.ts';
import { canonicalTime } from './range.ts';
import { tagUpkeep } from './visibility.ts';

/** When the monitor looks. */
export interface MonitorInput {
  /** UTC. Default: now. */
  at?: string;
}

/** What the monitor saw. */
export interface MonitorResult {
  at: string;
  /** Number of findings that are overdue. */
  overdue: number;
  findings: Finding[];
  /** The same for people. */
  summary: string;
}

/** Workflow `monitor/<nominal time>`: notices when nothing ran at all, and says so once for each thing that stands still. */
export async function monitor(input: MonitorInput = {}): Promise<MonitorResult> {
  const at = canonicalTime(input.at ?? `${new Date(Date.now()).toISOString().slice(0, 19)}Z`);
  tagUpkeep({ kind: 'monitor' }, `Looks around at ${at}`);
  const findings = await short.lookAround({ at });
  for (const { subject, source, state, reason } of findings) await announce({ subject, source, state, reason });
  const summary = monitorSummary(at, findings);
  setCurrentDetails(summary);
  return { at, overdue: findings.filter(({ state }) => state === 'failed').length, findings, summary };
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** Overdue first: who reads it at night reads the first lines. */
function monitorSummary(at: string, findings: Finding[]): string {
  const overdue = findings.filter(({ state }) => state === 'failed');
  const healthy = findings.filter(({ state }) => state === 'healthy');
  const headline = overdue.length
    ? `**${overdue.length} of ${findings.length} overdue**`
    : `all ${findings.length} fresh`;
  const rows = [...overdue, ...healthy].map(
    ({ subject, state, reason, todo }) =>
      `| ${state === 'failed' ? '**overdue**' : 'fresh'} | ${subject} | ${cell(reason)} | ${todo ? `\`${cell(todo)}\`` : ''} |`,
  );
  return [`${headline}, looked at ${at}`, '', '| | what | seen | type |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}
