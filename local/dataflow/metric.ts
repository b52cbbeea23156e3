/** A metric as a job prints it: one JSON line on standard output. */
export interface MetricLine {
  metric: string;
  value: number;
  namespace?: string;
  step?: string;
}

/** Reads a line of a job's standard output; undefined where it is no metric. */
export function readMetric(line: string): MetricLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const read = JSON.parse(line) as Partial<MetricLine>;
    return typeof read.metric === 'string' && typeof read.value === 'number' ? (read as MetricLine) : undefined;
  } catch {
    return undefined;
  }
}
