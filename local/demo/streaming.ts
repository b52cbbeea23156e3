import { digestTable } from '../../src/lakehouse/committer/index.ts';
import { parityId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { ParityResult } from '../../src/workflows/parity-messages.ts';
import type { StreamedReport } from './report.ts';
import type { Running } from './running.ts';
import { DemoStream } from './stream.ts';
import { killAtOnce, publishBackwards, publishPoison, raiseRules } from './unruly.ts';

/** Streams what polls publish, and then makes its life hard: the table has to be the one that a batch makes all the same. */
export class Streaming {
  readonly #running: Running;
  readonly #stream: DemoStream;
  #kills = 0;

  private constructor(running: Running, stream: DemoStream) {
    this.#running = running;
    this.#stream = stream;
  }

  static async start(running: Running): Promise<Streaming> {
    return new Streaming(running, await DemoStream.start(running.client, running.contract.source));
  }

  /** The job dies while polls come: somewhere between a delta, its manifest and the acknowledgement. */
  midway(): void {
    this.#kills += killAtOnce(this.#running.stateDirectory, 'jobs');
  }

  /**
   * Every record comes twice more, backwards, under other rules; in between comes what nobody can read, and the worker dies, in the
   * middle of commits.
   *
   * @param published messages that polls have published
   * @param meanwhile called when the worker has died: what was running for the stream is missed after a heartbeat's time only, in which the
   *   next worker can do something else
   */
  async finish(published: number, meanwhile: () => void): Promise<Omit<StreamedReport, 'parity'>> {
    const { resources, contract, stateDirectory, contractsDirectory } = this.#running;
    const pubsub = await resources.pubsub();
    // What comes meanwhile makes Gold, which reads all of Silver as of one time: a table has no past before its first snapshot.
    await this.#stream.untilSettled(1);
    await raiseRules(contractsDirectory, contract.source);
    await this.#stream.update();
    await publishPoison(pubsub, resources, contract);
    const second = await publishBackwards(resources, pubsub, contract);
    this.#kills += killAtOnce(stateDirectory, 'worker');
    meanwhile();
    const third = await publishBackwards(resources, pubsub, contract);
    // What the job that died held comes again when its leases end: by now they have.
    await this.#stream.untilSettled(published + 1 + second + third);
    const streamed = await this.#stream.finish(pubsub);
    const table = await digestTable(resources, contract);
    return { records: second, ...streamed, kills: this.#kills, ...table };
  }

  /**
   * Computes all of Bronze again in batch, beside the table, and compares.
   *
   * @throws Error when a single column of a single row differs
   */
  async prove(): Promise<StreamedReport['parity']> {
    const { client, contract } = this.#running;
    const { source } = contract;
    const { keys, objects, differences, equal, reportUri } = (await client.workflow.execute('parity', {
      workflowId: parityId(source),
      taskQueue: TASK_QUEUE,
      args: [{ source, patienceSeconds: 0 }],
    })) as ParityResult;
    if (!equal)
      throw new Error(`stream and batch differ in ${differences} of ${keys} keys: ${reportUri ?? 'see parity'}`);
    return { keys, objects, differences };
  }
}
