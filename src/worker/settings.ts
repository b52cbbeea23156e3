import { isIP } from 'node:net';
import { cupelError } from '../errors.ts';
import { BACKFILL_TASK_QUEUE, TASK_QUEUE } from '../workflows/ids.ts';

/** Task queues that a worker can serve. */
export const QUEUES = [TASK_QUEUE, BACKFILL_TASK_QUEUE] as const;

/** A task queue of Cupel. */
export type Queue = (typeof QUEUES)[number];

/** Where a server of the worker listens. */
export interface ListenAddress {
  /** An IP address: 127.0.0.1 for this machine, 0.0.0.0 for all. */
  host: string;
  port: number;
}

/** How a worker process runs. */
export interface WorkerSettings {
  /** `CUPEL_WORKER_QUEUES`, names by commas. Default: both. One queue a process gives each its own machine. */
  queues: Queue[];
  /** `CUPEL_LOG_LEVEL`, `INFO` or `DEBUG`. Default INFO. */
  logLevel: 'INFO' | 'DEBUG';
  /** Seconds that running activities have to end after a signal; then they are cancelled. `CUPEL_SHUTDOWN_GRACE_SECONDS`, default 10. */
  shutdownGraceSeconds: number;
  /** Where `/healthz` and `/readyz` are answered. `CUPEL_HEALTH_ADDRESS`, IP:port. Default: nowhere. */
  health?: ListenAddress;
  /** Where Prometheus reads `/metrics`. `CUPEL_METRICS_ADDRESS`, IP:port. Default: nowhere. */
  metrics?: ListenAddress;
  /** Pull subscription of the topic `cupel-control`. `CUPEL_CONTROL_SUBSCRIPTION`. Default: none, nothing is taken from outside. */
  controlSubscription?: string;
  limits: WorkerLimits;
}

/** How much a worker takes on at once. */
export interface WorkerLimits {
  /**
   * Share of the machine's (or container's) processors above which queue `cupel` hands out no slot beyond the minimum.
   * `CUPEL_WORKER_CPU_TARGET`, default 0.9: a little is left for workflow tasks, which must answer within 10 seconds.
   */
  cpuTarget: number;
  /** The same for memory. `CUPEL_WORKER_MEMORY_TARGET`, default 0.8: a merge may still grow after it was taken on. */
  memoryTarget: number;
  /**
   * Activities that queue `cupel` always takes on, however busy the machine is. `CUPEL_WORKER_MIN_ACTIVITIES`, default 50:
   * most of them wait for a remote job, hold a slot and use nothing.
   */
  minActivities: number;
  /** Activities that queue `cupel` never goes beyond. `CUPEL_WORKER_MAX_ACTIVITIES`, default 200. */
  maxActivities: number;
  /**
   * Activities of queue `cupel-backfill` at once, fixed. `CUPEL_WORKER_BACKFILL_ACTIVITIES`, default 50: the 25 Dataflow jobs
   * that Google grants hold one slot each while they run, and as many are left for what comes before and after.
   */
  backfillActivities: number;
}

type Variables = Record<string, string | undefined>;

function refused(variable: string, expected: string): Error {
  return cupelError('CUP_ENVIRONMENT_INVALID', { variable, expected });
}

function numberOf(env: Variables, name: string, fallback: number, right: (value: number) => boolean, expected: string) {
  const text = env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (!right(value)) throw refused(name, expected);
  return value;
}

const share = (env: Variables, name: string, fallback: number): number =>
  numberOf(env, name, fallback, (value) => value > 0 && value <= 1, 'a share above 0 and at most 1');

const count = (env: Variables, name: string, fallback: number, least = 1): number =>
  numberOf(env, name, fallback, (v) => Number.isSafeInteger(v) && v >= least, `a whole number from ${least} on`);

function addressOf(env: Variables, name: string): ListenAddress | undefined {
  const text = env[name];
  if (!text) return undefined;
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(text) ?? [];
  if (!isIP(host) || !(Number(port) > 0 && Number(port) < 65_536))
    throw refused(name, 'an IP address and a port, such as 127.0.0.1:9090');
  return { host, port: Number(port) };
}

function queuesOf(env: Variables): Queue[] {
  const names = (env.CUPEL_WORKER_QUEUES ?? '').split(',').map((name) => name.trim());
  const wanted = names.filter(Boolean);
  if (wanted.some((name) => !(QUEUES as readonly string[]).includes(name)))
    throw refused('CUPEL_WORKER_QUEUES', `names out of ${QUEUES.join(',')}`);
  return wanted.length ? QUEUES.filter((queue) => wanted.includes(queue)) : [...QUEUES];
}

function limitsOf(env: Variables): WorkerLimits {
  const minActivities = count(env, 'CUPEL_WORKER_MIN_ACTIVITIES', 50);
  return {
    cpuTarget: share(env, 'CUPEL_WORKER_CPU_TARGET', 0.9),
    memoryTarget: share(env, 'CUPEL_WORKER_MEMORY_TARGET', 0.8),
    minActivities,
    maxActivities: count(env, 'CUPEL_WORKER_MAX_ACTIVITIES', Math.max(200, minActivities), minActivities),
    backfillActivities: count(env, 'CUPEL_WORKER_BACKFILL_ACTIVITIES', 50),
  };
}

/**
 * Reads the settings of a worker process.
 *
 * @throws CupelError CUP_ENVIRONMENT_INVALID naming the variable
 */
export function workerSettings(env: Variables = process.env): WorkerSettings {
  const health = addressOf(env, 'CUPEL_HEALTH_ADDRESS');
  const metrics = addressOf(env, 'CUPEL_METRICS_ADDRESS');
  const { CUPEL_CONTROL_SUBSCRIPTION: controlSubscription } = env;
  return {
    queues: queuesOf(env),
    logLevel: env.CUPEL_LOG_LEVEL === 'DEBUG' ? 'DEBUG' : 'INFO',
    shutdownGraceSeconds: count(env, 'CUPEL_SHUTDOWN_GRACE_SECONDS', 10, 0),
    ...(health ? { health } : {}),
    ...(metrics ? { metrics } : {}),
    ...(controlSubscription ? { controlSubscription } : {}),
    limits: limitsOf(env),
  };
}

/** IP:port, with brackets where the address needs them. */
export function addressText({ host, port }: ListenAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
