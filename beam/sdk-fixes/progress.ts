import { answerInstructions } from './worker.ts';
import type { Worker } from './worker.ts';

// Asked for the progress of a bundle that has just ended the SDK answers with an error of its own error message; asked what its
// short metric ids mean, or to finalize a bundle, it knows no such instruction.

function progressOf(worker: Worker, bundle: string): Record<string, unknown> {
  const processor = worker.activeBundleProcessors.get(bundle);
  const data = processor?.monitoringData(worker.metricsShortIdCache) ?? new Map<string, Uint8Array>();
  const monitoringInfos = [...data].map(([id, payload]) => worker.metricsShortIdCache.asMonitoringInfo(id, payload));
  return { monitoringInfos, monitoringData: Object.fromEntries(data) };
}

/** Answers what runners ask about metrics and ended bundles. */
export function installProgress(): void {
  answerInstructions('processBundleProgress', (worker, asked) => progressOf(worker, String(asked.instructionId)));
  answerInstructions('monitoringInfos', (worker, { monitoringInfoId }) => {
    const ids = monitoringInfoId as string[];
    const infoOf = (id: string) => worker.metricsShortIdCache.asMonitoringInfo(id, new Uint8Array());
    return { monitoringInfo: Object.fromEntries(ids.map((id) => [id, infoOf(id)])) };
  });
  answerInstructions('finalizeBundle', () => ({}));
}
