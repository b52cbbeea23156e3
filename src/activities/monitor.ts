import type { Client } from '@temporalio/client';
import { listSources, loadContract, loadFreshness } from '../lakehouse/contract-store.ts';
import { findStale } from '../lakehouse/upkeep/index.ts';
import type { Finding } from '../lakehouse/upkeep/index.ts';
import { isOwned } from '../schedules/owned.ts';
import type { ActivityResources } from './resources.ts';

/** A schedule that is later than this does not run: a server starts an action within seconds. */
const LATE_MS = 10 * 60_000;

/** What looking for things that stand still works with. */
export type MonitorResources = Pick<ActivityResources, 'environment' | 'store' | 'ledger' | 'temporal'>;

/** Schedules of Cupel that are paused or overdue. */
export async function findStoppedSchedules(temporal: Client, environment: string, now: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const { scheduleId, memo } of temporal.schedule.list()) {
    if (!isOwned(memo, environment)) continue;
    // The list is a search index and may lag behind; the schedule itself knows.
    const { state, info } = await temporal.schedule.getHandle(scheduleId).describe();
    const base = { subject: `freshness/schedule/${scheduleId}`, source: '' };
    const next = info.nextActionTimes[0]?.getTime();
    if (state.paused) {
      const reason = `paused${state.note ? `: ${state.note}` : ''}`;
      findings.push({ ...base, state: 'failed', reason, todo: `cupel schedules resume ${scheduleId}` });
    } else if (next !== undefined && now - next > LATE_MS) {
      const reason = `due at ${new Date(next).toISOString()}, not started`;
      findings.push({ ...base, state: 'failed', reason, todo: `cupel schedules trigger ${scheduleId}` });
    } else {
      findings.push({
        ...base,
        state: 'healthy',
        reason: next === undefined ? 'no further action' : `next at ${new Date(next).toISOString()}`,
      });
    }
  }
  return findings;
}

/** Everything that should move, and whether it does. Reads only, and needs no worker. */
export async function lookAround(resources: MonitorResources, now: number): Promise<Finding[]> {
  const { name, contractsDirectory, buckets } = resources.environment;
  const sources = await Promise.all(
    (await listSources(contractsDirectory)).map(async (name) => {
      const contract = await loadContract(contractsDirectory, name);
      return { contract, freshnessMs: await loadFreshness(contractsDirectory, contract) };
    }),
  );
  const { store, ledger, temporal } = resources;
  const stale = await findStale({ store, ledger, bronzeBucket: buckets.bronze }, sources, now);
  return [...stale, ...(await findStoppedSchedules(temporal, name, now))];
}

/** Activities of the monitor. */
export function monitorActivities(resources: ActivityResources) {
  return {
    /** Everything that should move, and whether it does. */
    async lookAround({ at }: { at: string }): Promise<Finding[]> {
      return lookAround(resources, Date.parse(at));
    },
  };
}
