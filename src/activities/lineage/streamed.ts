import { activityInfo } from '@temporalio/activity';
import type { OpenBatch } from '../../lakehouse/streams/index.ts';
import { runEvent, runIdOf } from '../../lineage/index.ts';
import { streamedWork } from '../../lineage/jobs/kappa.ts';
import type { ActivityResources } from '../resources.ts';
import { LineageFacts } from './facts.ts';
import { jobRunId } from './steps.ts';

/**
 * Tells of batches of a stream that are settled, a run each. A batch is known when its manifest is there, so both its events have
 * that time.
 *
 * @param report of the job that is watched. Default: none runs any more
 */
export function tellStreamed(
  resources: ActivityResources,
  source: string,
  batches: readonly OpenBatch[],
  report?: string,
): void {
  const { lineage: emitter, environment } = resources;
  const { namespace } = environment.lineage ?? {};
  if (!emitter || namespace === undefined) return;
  const facts = new LineageFacts(resources);
  const parent = { runId: jobRunId(report) ?? '', job: `kappa-stream.${source}` };
  const root = { runId: activityInfo().workflowExecution?.runId ?? '', job: `stream.${source}` };
  const parentage = { parent: report ? parent : root, root };
  for (const { table, batchId, contractUri, at } of batches) {
    const runId = runIdOf('batch', table, batchId);
    emitter.add(async () => {
      const [manifest] = await facts.manifests(table, [batchId]);
      if (!manifest) return [];
      const work = streamedWork(facts.places, await facts.contractAt(contractUri), manifest);
      const moment = { runId, parentage, at: Date.parse(at) };
      return (['START', 'COMPLETE'] as const).map((type) => runEvent(namespace, work, { ...moment, type }));
    });
  }
}
