import type { InjectedSinks } from '@temporalio/worker';
import { runEvent } from '../../lineage/index.ts';
import type { Work } from '../../lineage/index.ts';
import type { LineageSinks } from '../../workflows/lineage/interceptors.ts';
import type { WorkflowRun } from '../../workflows/lineage/workflow-run.ts';
import type { ActivityResources } from '../resources.ts';

const workOf = ({ job, service, nominal }: WorkflowRun): Work => ({
  job,
  integration: 'TEMPORAL',
  type: 'WORKFLOW',
  processing: service ? 'SERVICE' : 'BATCH',
  ...(nominal ? { nominal } : {}),
  inputs: [],
  outputs: [],
});

/** Where workflows tell of their runs. Without resources, or where nobody is told: nowhere. */
export function lineageSinks(
  resources?: Pick<ActivityResources, 'lineage' | 'environment'>,
): InjectedSinks<LineageSinks> {
  const { lineage: emitter, environment } = resources ?? {};
  const { namespace = '' } = environment?.lineage ?? {};
  return {
    lineage: {
      run: {
        fn: (_info, run) => emitter?.add(() => Promise.resolve([runEvent(namespace, workOf(run), run)])),
        callDuringReplay: false,
      },
    },
  };
}
