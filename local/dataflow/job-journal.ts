import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { JobDescription, JobMessage, JobState } from './job-types.ts';

type Timestamp = { seconds: string; nanos: number };

/** One line of a job's file: the first one describes it, each other one is a change. */
type JobEvent =
  | { description: JobDescription; created: Timestamp }
  | { state: JobState; stateTime: object }
  | { message: JobMessage }
  | { metric: [string, object] }
  | { replacedByJobId: string };

/** All that is known of a job. */
export interface JobRecord {
  id: string;
  description: JobDescription;
  created: Timestamp;
  state: JobState;
  stateTime: object;
  messages: JobMessage[];
  /** By namespace, step and name. */
  metrics: [string, object][];
  replacedByJobId?: string;
}

const SUFFIX = '.ndjson';

/** Jobs in a folder, `<job id>.ndjson` each, appended to as they change: a kill loses the last line at most. */
export class JobJournal {
  readonly #directory: string | undefined;
  #closed = false;

  /** @param directory undefined: nothing is kept */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    if (directory) mkdirSync(directory, { recursive: true });
  }

  write(jobId: string, event: JobEvent): void {
    if (!this.#directory || this.#closed) return;
    appendFileSync(path.join(this.#directory, `${jobId}${SUFFIX}`), `${JSON.stringify(event)}\n`);
  }

  /** Writes nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /** Every job, oldest first. */
  read(): JobRecord[] {
    const directory = this.#directory;
    if (!directory) return [];
    const files = readdirSync(directory).filter((name) => name.endsWith(SUFFIX));
    const records = files.flatMap((name) => {
      const file = path.join(directory, name);
      const text = readFileSync(file, 'utf8');
      if (!text.endsWith('\n')) appendFileSync(file, '\n'); // what a kill cut off stays a line of its own
      const events = eventsOf(text);
      return recordOf(name.slice(0, -SUFFIX.length), events) ?? [];
    });
    return records.sort((a, b) => millisOf(a.created) - millisOf(b.created));
  }
}

const millisOf = ({ seconds, nanos }: Timestamp): number => Number(seconds) * 1000 + nanos / 1e6;

function eventsOf(text: string): JobEvent[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as JobEvent];
    } catch {
      return []; // the end, or cut off by a kill
    }
  });
}

function recordOf(id: string, [first, ...changes]: JobEvent[]): JobRecord | undefined {
  if (!first || !('description' in first)) return undefined;
  const { description, created } = first;
  const metrics = new Map<string, object>();
  const messages: JobMessage[] = [];
  const record: JobRecord = {
    ...{ id, description, created, messages, metrics: [] },
    ...{ state: 'JOB_STATE_QUEUED', stateTime: created },
  };
  for (const event of changes) {
    if ('message' in event) messages.push(event.message);
    else if ('metric' in event) metrics.set(...event.metric);
    else Object.assign(record, event);
  }
  record.metrics = [...metrics];
  return record;
}
