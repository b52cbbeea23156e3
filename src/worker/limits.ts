import type { TunerHolder, WorkerOptions } from '@temporalio/worker';
import { BACKFILL_TASK_QUEUE } from '../workflows/ids.ts';
import type { Queue, WorkerLimits } from './settings.ts';

/** Workflow tasks at once: they run on one thread each worker, so more would only wait; the SDK's own number. */
const WORKFLOW_TASKS = 40;

/** Local activities at once, calls of milliseconds: the SDK's own number. */
const LOCAL_ACTIVITIES = 100;

/** Workflows of a backfill kept in memory, about 1 MB each. The SDK would give each worker the whole heap. */
const CACHED_BACKFILL_WORKFLOWS = 200;

function activitySlots(queue: Queue, limits: WorkerLimits): TunerHolder['activityTaskSlotSupplier'] {
  if (queue === BACKFILL_TASK_QUEUE) return { type: 'fixed-size', numSlots: limits.backfillActivities };
  return {
    type: 'resource-based',
    minimumSlots: limits.minActivities,
    maximumSlots: limits.maxActivities,
    tunerOptions: { targetCpuUsage: limits.cpuTarget, targetMemoryUsage: limits.memoryTarget },
  };
}

/**
 * What a queue's worker takes on at once. The queues share nothing that one could use up: each has its own slots, its own
 * polls and its own thread for workflow tasks. Queue `cupel` takes on what the machine bears, also beside a backfill;
 * the backfill's number is fixed, so that it neither grows into what the nightly run needs nor shrinks when that is busy.
 */
export function limitsOf(queue: Queue, limits: WorkerLimits): Pick<WorkerOptions, 'tuner' | 'maxCachedWorkflows'> {
  return {
    tuner: {
      workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: WORKFLOW_TASKS },
      activityTaskSlotSupplier: activitySlots(queue, limits),
      localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: LOCAL_ACTIVITIES },
      nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
    },
    ...(queue === BACKFILL_TASK_QUEUE ? { maxCachedWorkflows: CACHED_BACKFILL_WORKFLOWS } : {}),
  };
}
