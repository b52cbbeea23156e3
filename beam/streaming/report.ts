/** A metric as the Dataflow service shows it: the job's own sums, so that the newest line is the metric. */
export function reportMetric(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value, namespace: 'kappa', step: 'stream' })}\n`);
}
