/** Options of a job that choose its runner; neither is a parameter of the template. */
export const RUNNER_OPTIONS = {
  runner: { type: 'string' },
  'job-endpoint': { type: 'string' },
  'pipeline-options': { type: 'string' },
} as const;

/** What a job was told of its runner. */
export type RunnerValues = { [Option in keyof typeof RUNNER_OPTIONS]?: string };

/** Whether a job runs in the process that starts it, where a job runs unless it is told otherwise. */
export function runsHere({ runner = 'direct' }: RunnerValues): boolean {
  return runner === 'direct';
}
