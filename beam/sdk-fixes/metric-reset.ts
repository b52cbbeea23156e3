import { sdkModule } from './sdk-module.ts';

// Between bundles the metrics are marked as unset but keep their values, so the second bundle of a step reports the first one's
// counts once more, and a runner that adds up counts them twice.

interface MetricsContainer {
  metrics: Map<string, { is_set: boolean; value: { reset(): void } }>;
  reset(): void;
}

/** Sets metrics to nothing between bundles. */
export function installMetricReset(): void {
  const { prototype } = sdkModule<{ MetricsContainer: { prototype: MetricsContainer } }>(
    'worker/metrics',
  ).MetricsContainer;
  prototype.reset = function (this: MetricsContainer) {
    for (const cell of this.metrics.values()) {
      cell.is_set = false;
      cell.value.reset();
    }
  };
}
