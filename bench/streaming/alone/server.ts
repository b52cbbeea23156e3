import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ProcessGroup } from '../../meter/process-group.ts';
import { until } from '../../peers/support.ts';

/** Environment of whoever uses it. */
export interface LonePubsub {
  env: Record<string, string>;
  group: ProcessGroup;
  stop(): Promise<void>;
}

/** Starts the local Pub/Sub in a process of its own. */
export async function startLonePubsub(directory: string): Promise<LonePubsub> {
  const [file, folder] = [path.join(directory, 'pubsub.txt'), path.join(directory, 'pubsub')];
  mkdirSync(folder);
  const group = new ProcessGroup('pubsub');
  group.spawn({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'pubsub.ts'), file, folder],
    // Google's clients look for a metadata server for seconds unless they are told that there is none.
    env: { METADATA_SERVER_DETECTION: 'none' },
    logFile: path.join(directory, 'pubsub.log'),
  });
  await until('Pub/Sub', () => existsSync(file) && readFileSync(file, 'utf8') !== '');
  return {
    env: { PUBSUB_EMULATOR_HOST: readFileSync(file, 'utf8'), METADATA_SERVER_DETECTION: 'none' },
    group,
    stop: () => group.close(),
  };
}
