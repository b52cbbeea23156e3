/** Where a job on a chunk says which partitions it failed for: beside the chunk, by the run that asked and its attempt. */
export function reportUri(chunkUri: string, run: string, attempt: number): string {
  return `${chunkUri.replace(/\.json$/, '.failed')}/${run.replaceAll('-', '')}${attempt}.json`;
}

/** The chunk that a report is about; undefined for the report of another kind of job. */
export function chunkOfReport(report: string): string | undefined {
  const [, chunk] = /^(.+)\.failed\/[^/]+\.json$/.exec(report) ?? [];
  return chunk && `${chunk}.json`;
}
