import { MockActivityEnvironment } from '@temporalio/testing';
import { PROJECT } from '../../scripts/tools.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { lineageOfActivities } from '../../src/activities/lineage/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { LineageEmitter } from '../../src/lineage/index.ts';
import type { LineageEvent, RunReference } from '../../src/lineage/index.ts';
import { withParentage } from '../../src/workflows/lineage/header.ts';
import './workflows.ts'; // its quiet logger

/** The workflow that the activities below are part of. */
export const PARENT: RunReference = {
  runId: '0197c0de-0000-7000-8000-000000000001',
  job: 'ingest.earthquakes.all_hour',
};

/** Activities under the interceptor of a worker, and what they tell. */
export function lineageProbe(now: number, more: Partial<ActivityResources> = {}) {
  const events: LineageEvent[] = [];
  const warnings: Record<string, unknown>[] = [];
  const send = (event: LineageEvent): Promise<void> => Promise.resolve(void events.push(event));
  const log = { warn: (_: string, attributes: Record<string, unknown>) => void warnings.push(attributes) };
  const lineage = new LineageEmitter([{ kind: 'file', send }], { log, count: () => undefined });
  const environment = readEnvironment({
    CUPEL_PROJECT: 'p',
    CUPEL_CONTRACTS_DIR: `${PROJECT}/sources`,
    CUPEL_OPENLINEAGE_FILE: 'unused',
    CUPEL_OPENLINEAGE_NAMESPACE: 'lake',
  });
  const resources = { environment, lineage, now: () => now, ...more } as unknown as ActivityResources;
  const factories = lineageOfActivities(resources);

  /** Runs one attempt of an activity; what it throws is its outcome. */
  async function attempt(activityType: string, info: object, input: unknown, work: () => unknown): Promise<unknown> {
    const workflowExecution = { workflowId: 'w', runId: PARENT.runId };
    const env = new MockActivityEnvironment({ activityType, activityId: '1', workflowExecution, attempt: 1, ...info });
    const [inbound] = factories.map((of) => of(env.context).inbound);
    const headers = withParentage({}, { parent: PARENT, root: PARENT });
    const next = async (): Promise<unknown> => work();
    const outcome = await env
      .run(() => inbound?.execute?.({ args: [input], headers }, next) ?? next())
      .catch((error: unknown) => error);
    await lineage.idle();
    return outcome;
  }

  return { events, warnings, attempt, resources };
}
