/** States that a job of ours can be in. */
export type JobState =
  | 'JOB_STATE_QUEUED'
  | 'JOB_STATE_RUNNING'
  | 'JOB_STATE_DONE'
  | 'JOB_STATE_FAILED'
  | 'JOB_STATE_CANCELLING'
  | 'JOB_STATE_CANCELLED'
  | 'JOB_STATE_DRAINING'
  | 'JOB_STATE_DRAINED'
  | 'JOB_STATE_UPDATED';

/** A job in one of these states has ended. */
export const TERMINAL: ReadonlySet<JobState> = new Set<JobState>([
  'JOB_STATE_DONE',
  'JOB_STATE_FAILED',
  'JOB_STATE_CANCELLED',
  'JOB_STATE_UPDATED',
  'JOB_STATE_DRAINED',
]);

/** A command that runs a template. */
export interface JobCommand {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** The fields of a Job message that do not change. */
export interface JobDescription {
  projectId: string;
  location: string;
  name: string;
  type: 'JOB_TYPE_BATCH' | 'JOB_TYPE_STREAMING';
  labels: Record<string, string>;
  /** The job that this one updates. */
  replaceJobId?: string;
}

/** A JobMessage. */
export interface JobMessage {
  id: string;
  time: object;
  messageText: string;
  messageImportance: string;
}
