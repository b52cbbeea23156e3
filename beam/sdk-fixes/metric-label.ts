import { sdkModule } from './sdk-module.ts';

// A counter tells its step under the label TRANSFORM; Beam's name for it is PTRANSFORM. Flink drops a metric that lacks a label.

interface MetricCell {
  toEmptyMonitoringInfo(): { labels: Record<string, string> };
}

interface MetricsContainer {
  getMetric(transform: string, collection: undefined, spec: { metricType: string; name: string }): MetricCell;
}

/** The class is not exported: one is made here only to reach its prototype. */
function cellPrototype(): MetricCell {
  const { MetricsContainer } = sdkModule<{ MetricsContainer: new () => MetricsContainer }>('worker/metrics');
  const spec = { metricType: 'beam:metric:user:sum_int64:v1', name: 'any' };
  return Object.getPrototypeOf(new MetricsContainer().getMetric('any', undefined, spec)) as MetricCell;
}

/** Tells the step of a metric by the label that Beam has for it. */
export function installMetricLabel(): void {
  const prototype = cellPrototype();
  const { toEmptyMonitoringInfo } = prototype;
  prototype.toEmptyMonitoringInfo = function (this: MetricCell) {
    const info = toEmptyMonitoringInfo.call(this);
    const { TRANSFORM, ...labels } = info.labels;
    return TRANSFORM === undefined ? info : { ...info, labels: { ...labels, PTRANSFORM: TRANSFORM } };
  };
}
