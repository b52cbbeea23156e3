import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect } from 'vitest';
import { DemoStream } from '../../local/demo/stream.ts';
import { publishBackwards } from '../../local/demo/unruly.ts';
import { launchCloud } from '../../local/launch.ts';
import { runs } from '../../local/process-identity.ts';
import { notedServers } from '../../local/servers-file.ts';
import { connectResources } from '../../src/activities/connect.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { loadContract } from '../../src/lakehouse/contract-store.ts';
import { temporalSettings } from '../../src/temporal.ts';
import { streamId } from '../../src/workflows/ids.ts';
import { resumeStream, streamStatus } from '../../src/workflows/stream/messages.ts';
import type { DemoFolder } from './demo-run.ts';

/** Does what an operator does who is told that jobs fail again and again, and knows why; whether there was need. */
async function resumeIfOpen(client: Client, source: string): Promise<boolean> {
  const handle = client.workflow.getHandle(streamId(source));
  const { phase } = await handle.query(streamStatus);
  if (phase === 'open') await handle.signal(resumeStream);
  return phase === 'open';
}

/** A stream of the earthquakes on a cloud that a demo has kept, and ways to kill what runs there. */
export class CloudStream {
  readonly #demos: DemoFolder;

  constructor(demos: DemoFolder) {
    this.#demos = demos;
  }

  /** Connects to the cloud as it runs now, and goes on with its stream, or starts it. */
  async connect() {
    const { env } = await this.#demos.cloud();
    Object.assign(process.env, env);
    const { namespace, ...connection } = temporalSettings();
    const temporal = await Connection.connect(connection);
    const client = new Client({ connection: temporal, namespace });
    const resources = await connectResources(readEnvironment(), client);
    const contract = await loadContract(this.#demos.inside('state/contracts'), 'earthquakes');
    const pubsub = await resources.pubsub();
    return {
      stream: await DemoStream.start(client, contract.source),
      resumeIfOpen: () => resumeIfOpen(client, contract.source),
      publishBackwards: () => publishBackwards(resources, pubsub, contract),
      pubsub,
      close: () => temporal.close(),
    };
  }

  /** Names of the processes that run now: servers, the worker, jobs. */
  processes(): string[] {
    return Object.keys(notedServers(this.#demos.inside('state')));
  }

  /** Ends a process without a word; one that has ended meanwhile is no error. */
  kill(name: string): void {
    try {
      process.kill(notedServers(this.#demos.inside('state'))[name]?.pid ?? NaN, 'SIGKILL');
    } catch (error) {
      if (!['ESRCH', 'ERR_INVALID_ARG_TYPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  /** Ends all processes at once, and starts the cloud again on what the disk holds. */
  async killMachine(): Promise<void> {
    const killed = await this.#demos.cloud();
    process.kill(killed.pid, 'SIGKILL');
    for (const name of this.processes()) this.kill(name);
    await expect.poll(() => runs(killed), { timeout: 10_000, interval: 20 }).toBe(false);
    const state = this.#demos.inside('state');
    (await launchCloud(state, ['--contracts', path.join(state, 'contracts')])).keep();
  }

  /** What `cupel silver digest` says. */
  async digest(): Promise<{ rows: number; digest: string }> {
    return JSON.parse(await this.#demos.cupel('silver', 'digest', 'earthquakes', '--json')) as {
      rows: number;
      digest: string;
    };
  }

  /** Runs `cupel parity`; it rejects when the stream's table is not the one that a batch makes. */
  async parity(): Promise<void> {
    await this.#demos.cupel('parity', 'earthquakes', '--json');
  }
}
