import type { Command } from 'commander';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
import { streamId, TASK_QUEUE } from '../../workflows/ids.ts';
import { resumeStream, stopStream, streamStatus, updateStream } from '../../workflows/stream/messages.ts';
import type { StreamInput, StreamResult, StreamState } from '../../workflows/stream/messages.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withTemporal } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel stream start earthquakes           # keeps a streaming job alive until it is stopped
  $ cupel stream status earthquakes
  $ cupel stream update earthquakes          # a job under the contract of now takes the running one's place
  $ cupel stream resume earthquakes          # launches again at once, although earlier jobs failed
  $ cupel stream stop earthquakes            # drains the job and waits until all that it took is committed

The same by Temporal's own command line:
  $ temporal workflow start --type stream --task-queue cupel --workflow-id stream/earthquakes \\
      --input '{"source":"earthquakes"}'
  $ temporal workflow signal --workflow-id stream/earthquakes --name stopStream`;

type Stream = (input: StreamInput) => Promise<StreamResult>;

const handleOf = (client: Client, source: string): WorkflowHandle<Stream> =>
  client.workflow.getHandle<Stream>(streamId(source));

function linesOf(source: string, state: StreamState): string[] {
  const { phase, job, contract, follow, lastFailure } = state;
  return [
    `stream       ${source}: ${phase}`,
    `job          ${job ? `${job.jobName} ${job.jobId}` : 'none'}, ${state.launches} launched`,
    `contract     ${contract?.hash ?? 'none yet'}`,
    `settled      ${state.messages} messages in ${state.batches} batches, through ${state.settledThrough ?? 'nothing yet'}`,
    `not settled  ${follow.open.length} batches, the oldest message ${state.lagSeconds} s old`,
    `late         ${state.droppedAsLate} messages dropped`,
    ...(lastFailure ? [`last failure ${lastFailure.at} ${lastFailure.code}: ${lastFailure.message}`] : []),
    ...(phase === 'open' ? [`mend that, then: cupel stream resume ${source}`] : []),
  ];
}

interface Options {
  json?: boolean;
}

function verb(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .argument('<source>', 'name of a contract with the property stream')
    .option('--json', 'answer with JSON');
}

async function start(source: string, options: Options): Promise<void> {
  const workflowId = streamId(source);
  await withTemporal((client) =>
    client.workflow.start<Stream>('stream', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [{ source }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  );
  answer(options, { workflowId }, [`${workflowId} runs`]);
}

async function stop(source: string, options: Options): Promise<void> {
  const result = await withTemporal(async (client) => {
    const handle = handleOf(client, source);
    await handle.signal(stopStream);
    progress(`${handle.workflowId} drains`);
    return handle.result();
  });
  progressDone();
  const { messages, batches, launches } = result;
  answer(options, result, [`stopped: ${messages} messages in ${batches} batches, ${launches} jobs launched`]);
}

async function status(source: string, options: Options): Promise<void> {
  const state = await withTemporal((client) => handleOf(client, source).query(streamStatus));
  answer(options, state, linesOf(source, state));
  if (state.phase === 'open' || state.droppedAsLate > 0) process.exitCode = 1;
}

/** `cupel stream start|status|update|resume|stop SOURCE`: the streaming job of a source. */
export function streamCommand(program: Command): void {
  const command = program
    .command('stream')
    .description('keep a streaming job of a source alive')
    .addHelpText('after', EXAMPLES);
  verb(command, 'start', 'start the stream; one that runs goes on').action(start);
  verb(command, 'status', 'how it is; exit code 1 when somebody should look').action(status);
  const ask = (signal: SignalDefinition, what: string) => async (source: string, options: Options) => {
    const workflowId = streamId(source);
    await withTemporal((client) => handleOf(client, source).signal(signal));
    answer(options, { workflowId }, [`${workflowId} ${what}`]);
  };
  verb(command, 'update', 'put a job under the contract and template of now in its place').action(
    ask(updateStream, 'is being updated'),
  );
  verb(command, 'resume', 'launch again at once after failures').action(ask(resumeStream, 'launches again'));
  verb(command, 'stop', 'drain the job, and wait until all that it took is committed').action(stop);
}
