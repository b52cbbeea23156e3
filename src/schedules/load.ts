import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { intervalOf } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import type { TickInput } from '../workflows/tick.ts';
import { FILE_SCHEMA } from './file-schema.ts';
import { WEEKDAYS } from './types.ts';
import type { DeclaredSchedule, Overlap, Timing, Weekday } from './types.ts';

/** Policies and timing as the file writes them. */
interface Job {
  timeZone?: string;
  overlap?: Overlap;
  catchupWindow?: string;
  jitter?: string;
  pauseOnFailure?: boolean;
  every?: string;
  offset?: string;
  at?: string | string[];
  on?: string[];
}

type PerSource = Partial<Record<'ingest' | 'pipeline' | 'reconcile' | 'maintain', Job | false>>;

interface SchedulesFile extends PerSource {
  defaults?: Job;
  nightlyGold?: Job | false;
  monitor?: Job | false;
  sources?: Record<string, PerSource>;
}

/** What a schema says of the value that it refuses. */
interface SchemaDetails {
  additionalProperty?: string;
  allowedValues?: string[];
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

const secondsOf = (span: string): number => Number(span.slice(0, -1)) * (UNITS[span.slice(-1)] ?? 0);

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

type Refuse = (entry: string, expected: string) => Error;

function timingOf(job: Job, entry: string, refuse: Refuse): Timing {
  const { every, offset, at, on, timeZone = 'UTC' } = job;
  if ((every === undefined) === (at === undefined)) throw refuse(entry, 'either every or at');
  if (every !== undefined) {
    if (on) throw refuse(entry, 'on only beside at');
    const timing = { everySeconds: secondsOf(every), offsetSeconds: secondsOf(offset ?? '0s') };
    if (timing.everySeconds < 1 || timing.offsetSeconds >= timing.everySeconds)
      throw refuse(entry, 'every above 0 and an offset below it');
    return timing;
  }
  if (offset !== undefined) throw refuse(entry, 'offset only beside every');
  const days = (on ?? []).map((day) => WEEKDAYS.find((name) => name.startsWith(day.toUpperCase())) as Weekday);
  const minutes = [at ?? []].flat().map(minutesOf);
  return {
    atMinutes: [...new Set(minutes)].sort((a, b) => a - b),
    on: WEEKDAYS.filter((day) => days.includes(day)),
    timeZone: zoneOf(timeZone, entry, refuse),
  };
}

function zoneOf(timeZone: string, entry: string, refuse: Refuse): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone && timeZone;
  } catch {
    throw refuse(entry, `a time zone of IANA, found ${timeZone}`);
  }
}

/** One schedule; `steps` are the entries of the file that say something of it, the most general one first. */
function declare(tick: TickInput, id: string, steps: (Job | false | undefined)[], refuse: Refuse): DeclaredSchedule[] {
  if (steps.includes(false)) return [];
  const job: Job = Object.assign({}, ...steps) as Job;
  return [
    {
      id,
      tick,
      timing: timingOf(job, id, refuse),
      jitterSeconds: secondsOf(job.jitter ?? '0s'),
      overlap: job.overlap ?? 'skip',
      catchupSeconds: Math.max(10, secondsOf(job.catchupWindow ?? '10m')), // Temporal's least
      pauseOnFailure: job.pauseOnFailure ?? false,
    },
  ];
}

/** Where one entry of a source takes the place of the timing of a general one, the general one's is left out. */
function withoutTiming(job: Job | false | undefined, by: Job | false | undefined): Job | false | undefined {
  if (!job || !by || (by.every === undefined && by.at === undefined)) return job;
  const { every: _every, offset: _offset, at: _at, on: _on, ...policies } = job;
  return policies;
}

function ofSource(file: SchedulesFile, contract: CompiledContract, refuse: Refuse): DeclaredSchedule[] {
  const { source, feeds } = contract;
  const { defaults } = file;
  const own = file.sources?.[source] ?? {};
  const polls = feeds.flatMap((polled) => {
    const { name: feed } = polled;
    const intervalSeconds = intervalOf(polled);
    if (intervalSeconds === undefined || file.ingest === undefined) return [];
    const every: Job = { every: `${intervalSeconds}s` };
    const steps = [defaults, file.ingest, own.ingest, every];
    return declare({ kind: 'ingest', source, feed }, `ingest/${source}/${feed}`, steps, refuse);
  });
  const jobs = (['pipeline', 'reconcile', 'maintain'] as const).flatMap((kind) => {
    if (!file[kind] && !own[kind]) return [];
    const steps = [defaults, withoutTiming(file[kind], own[kind]) || undefined, own[kind]];
    return declare({ kind, source }, `${kind}/${source}`, steps, refuse);
  });
  return [...polls, ...jobs];
}

/**
 * The schedules that a file and the contracts declare, sorted by id.
 *
 * @param file name for errors
 * @throws CupelError CUP_SCHEDULES_INVALID naming the entry and what was expected
 */
export function declaredSchedules(text: string, contracts: CompiledContract[], file: string): DeclaredSchedule[] {
  const refuse: Refuse = (entry, expected) => cupelError('CUP_SCHEDULES_INVALID', { file, entry, expected });
  const declared = (parse(text) ?? {}) as SchedulesFile;
  const validate = new Ajv({ allErrors: false }).compile(FILE_SCHEMA);
  if (!validate(declared)) {
    const [error] = validate.errors ?? [];
    const { additionalProperty = '', allowedValues = [] } = (error?.params ?? {}) as SchemaDetails;
    const entry = [error?.instancePath.slice(1).replaceAll('/', '.'), additionalProperty].filter(Boolean).join('.');
    throw refuse(entry || 'the file', [error?.message, allowedValues.join(', ')].filter(Boolean).join(': '));
  }
  for (const source of Object.keys(declared.sources ?? {}))
    if (!contracts.some((contract) => contract.source === source))
      throw refuse(`sources.${source}`, `a source with a contract: ${contracts.map((of) => of.source).join(', ')}`);
  const { defaults } = declared;
  const whole = (['nightlyGold', 'monitor'] as const).flatMap((kind) =>
    declared[kind] ? declare({ kind }, kind, [defaults, declared[kind]], refuse) : [],
  );
  const all = [...contracts.flatMap((contract) => ofSource(declared, contract, refuse)), ...whole];
  return all.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Reads a file of schedules. */
export async function readSchedules(file: string, contracts: CompiledContract[]): Promise<DeclaredSchedule[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw cupelError('CUP_SCHEDULES_INVALID', { file, entry: 'the file', expected: 'a readable file' }, error);
  });
  return declaredSchedules(text, contracts, file);
}
