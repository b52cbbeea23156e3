import { globSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { ProcessGroup } from '../../meter/process-group.ts';
import { pythonEnvironment } from '../../peers/venv.ts';
import { until } from '../../peers/support.ts';
import type { ContenderName, Trial, TrialSetting } from '../contender.ts';
import { latenciesOfMessages, latenciesOfRows } from '../latencies.ts';
import type { Latencies } from '../latencies.ts';
import { publishLoad } from '../load/publisher.ts';
import type { PublishedLoad } from '../load/publisher.ts';
import { MemoryWatch } from '../memory.ts';
import { countOthers } from '../others.ts';
import { PROJECT_ID, SUBSCRIPTION, TOPIC } from './names.ts';
import { startLonePubsub } from './server.ts';

/** Milliseconds without anything new after which nothing more is waited for. */
const QUIET_MS = 15_000;

/** A process that reads the subscription, and how to tell what it has seen. */
interface Consumer {
  name: ContenderName;
  command: { command: string; args: string[]; env: Record<string, string> };
  /** Grows while it sees messages. */
  progress(): number;
  /** Whether it reads the subscription by now. */
  ready(logFile: string): boolean;
  latencies(published: PublishedLoad): Promise<Latencies>;
}

/** Waits until everything was seen, or nothing more comes. */
async function untilQuiet(progress: () => number): Promise<void> {
  let [last, changedAt] = [-1, performance.now()];
  while (performance.now() - changedAt < QUIET_MS) {
    const now = progress();
    if (now !== last) [last, changedAt] = [now, performance.now()];
    await delay(250);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([ended, delay(5_000)]);
}

async function runConsumer(setting: TrialSetting, prepare: (directory: string) => Promise<Consumer>): Promise<Trial> {
  const { load, contract, directory } = setting;
  const consumer = await prepare(directory);
  const pubsub = await startLonePubsub(directory);
  const group = new ProcessGroup(consumer.name);
  const logFile = path.join(directory, `${consumer.name}.log`);
  try {
    const { command, args, env } = consumer.command;
    const child = group.spawn({ command, args, env: { ...pubsub.env, ...env }, logFile });
    const gone = once(child, 'exit').then(([code]) => {
      throw new Error(`${consumer.name} ended with ${String(code)}: see ${logFile}`);
    });
    gone.catch(() => undefined); // its end is asked for below
    await Promise.race([gone, until(consumer.name, () => consumer.ready(logFile))]);
    const memory = new MemoryWatch(() => child.pid, [group, pubsub.group]);
    const others = countOthers([group, pubsub.group]);
    const before = group.cpuSeconds();
    const target = { project: PROJECT_ID, topic: TOPIC, contract, env: pubsub.env, directory };
    const published = await publishLoad(load, target);
    await untilQuiet(() => consumer.progress());
    const cpuSeconds = group.cpuSeconds() - before;
    const otherCpuSeconds = others(published.cpuSeconds);
    const remembered = memory.stop();
    await end(child);
    return {
      name: consumer.name,
      load,
      perSecond: (published.messages * 1000) / (published.endedMs - published.startedMs),
      latencies: await consumer.latencies(published),
      cpuSeconds,
      cpuBy: {},
      otherCpuSeconds,
      memory: remembered,
    };
  } finally {
    await group.close();
    await pubsub.stop();
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Runs the consumer that only acknowledges. */
export function runBare(setting: TrialSetting): Promise<Trial> {
  return runConsumer(setting, (directory) => {
    const received = path.join(directory, 'received.csv');
    const file = path.join(import.meta.dirname, 'bare.ts');
    return Promise.resolve({
      name: 'bare',
      command: { command: process.execPath, args: ['--disable-warning=ExperimentalWarning', file, received], env: {} },
      progress: () => sizeOf(received),
      ready: () => sizeOf(received) > 0,
      latencies: ({ sent }) => latenciesOfMessages(sent, received),
    });
  });
}

/** Runs the same job as a Beam pipeline in Python. */
export function runBeamPython(setting: TrialSetting): Promise<Trial> {
  return runConsumer(setting, async (directory) => {
    const folder = path.join(import.meta.dirname, '../beam-python');
    const environment = await pythonEnvironment('beam-python-streaming', folder);
    const output = path.join(directory, 'output');
    mkdirSync(output);
    const { sink, hash, rulesVersion } = setting.contract;
    const job = { buckets: sink.bucketCount, contract: hash, rulesVersion, output };
    const subscription = `projects/${PROJECT_ID}/subscriptions/${SUBSCRIPTION}`;
    const files = () => globSync(path.join(output, '*.parquet'));
    return {
      name: 'beam-python',
      command: {
        command: path.join(environment, 'bin/python'),
        args: ['-B', path.join(folder, 'stream.py'), JSON.stringify(job), subscription],
        env: {},
      },
      progress: () => files().length,
      ready: (logFile) => readFileSync(logFile, 'utf8').includes('reads'),
      latencies: ({ sent }) =>
        latenciesOfRows(
          sent,
          files().map((file) => ({ file, seenMs: statSync(file).mtimeMs })),
        ),
    };
  });
}
