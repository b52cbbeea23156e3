import {
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { StreamEnd } from '../../activities/streams.ts';
import { streamSubscription } from '../../lakehouse/streams/subscription.ts';
import { launching, short, waiting } from '../activities.ts';
import { refused } from '../committer.ts';
import { codeOf, messageOf } from '../failures.ts';
import { tagEntity } from '../visibility.ts';
import { streamDetails } from './details.ts';
import { newStream, resumeStream, stopStream, streamStatus, updateStream } from './messages.ts';
import type { StreamInput, StreamResult, StreamState } from './messages.ts';
import { noteEnd, noteFailure, noteHealth, replayBronze, waitForLaunch } from './restart.ts';
import { noteRefused, take } from './take.ts';

/** Until the next look at a job, after one that was refused. */
const LOOK_AGAIN = '1 minute';

/** What somebody asked of the stream. */
interface Asked {
  stop: boolean;
  update: boolean;
  resume: boolean;
  /** A batch was refused: the job ends, Bronze is replayed, and another one is launched. */
  drain: boolean;
}

/**
 * Entity workflow `stream/<source>`: keeps one streaming job alive. It launches the job, has committed what the job publishes, and
 * after any end but a drained or updated one replays Bronze from the last committed hour and launches again.
 */
export async function stream(input: StreamInput): Promise<StreamResult> {
  const { source } = input;
  const state = input.state ?? newStream();
  tagEntity('stream', source);
  const asked = listen(state);
  if (!state.contract) await checkStreamed(source);
  try {
    while (state.job || !asked.stop) {
      await startAnew(source, state, asked);
      if (!state.job || asked.update) await launch(source, state, asked);
      if (state.job && (asked.stop || asked.drain)) await drain(source, state);
      if (state.job) await watch(source, state);
    }
  } catch (error) {
    // Whoever cancels the stream does not want its job to go on alone.
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => drain(source, state));
    throw error;
  }
  await settleRest(source, state);
  show(source, state, 'stopped');
  const { batches, messages, settledThrough, launches } = state;
  return { batches, messages, launches, ...(settledThrough ? { settledThrough } : {}) };
}

async function checkStreamed(source: string): Promise<void> {
  const { streamed } = await short.resolveContract({ source });
  const code = 'CUP_SOURCE_NOT_STREAMED';
  if (!streamed)
    throw ApplicationFailure.nonRetryable(`${code}: the contract of ${source} has no property stream`, code);
}

function listen(state: StreamState): Asked {
  const asked: Asked = { stop: false, update: false, resume: false, drain: false };
  setHandler(stopStream, () => void (asked.stop = true));
  setHandler(updateStream, () => void (asked.update = true));
  setHandler(resumeStream, () => void (asked.resume = true));
  setHandler(streamStatus, () => state, { description: 'what it does, and how far it is' });
  setHandler(refused, (batches) => {
    const [first] = batches;
    if (!first) return;
    noteRefused(
      state,
      batches.map(({ batchId }) => batchId),
    );
    noteFailure(state, ApplicationFailure.nonRetryable(first.message, first.code));
    // Nothing more is to be acknowledged that nobody commits.
    asked.drain = true;
  });
  return asked;
}

function show(source: string, state: StreamState, phase: StreamState['phase']): void {
  state.phase = phase;
  setCurrentDetails(streamDetails(source, state));
}

/** Signals that nobody has acted on are acted on before the history ends. */
async function startAnew(source: string, state: StreamState, asked: Asked): Promise<void> {
  if (!workflowInfo().continueAsNewSuggested || asked.stop || asked.update || asked.drain) return;
  await continueAsNew<typeof stream>({ source, state });
}

async function launch(source: string, state: StreamState, asked: Asked): Promise<void> {
  if (!state.job) {
    show(source, state, state.phase);
    await waitForLaunch(source, state, () => asked.stop || asked.resume || asked.update);
    if (asked.stop) return;
    await replayBronze(source, state);
  }
  Object.assign(asked, { resume: false, update: false, drain: false });
  show(source, state, 'launching');
  try {
    await launchJob(source, state);
  } catch (error) {
    if (isCancellation(error)) throw error;
    noteFailure(state, error);
  }
  show(source, state, state.job ? 'running' : 'waiting');
}

/** Where the job says why it cannot go on: beside the contracts, in the ops bucket. */
function reportUri(contractUri: string, source: string, launch: number): string {
  const run = workflowInfo().firstExecutionRunId.replaceAll('-', '');
  return contractUri.replace(/\/contracts\/.*$/, `/streams/_reports/${source}/${run}${launch}.json`);
}

/** Launches a job; where one runs, in its place. */
async function launchJob(source: string, state: StreamState): Promise<void> {
  const contract = await short.resolveContract({ source });
  const launch = state.launches + 1;
  const report = reportUri(contract.uri, source, launch);
  const job = await launching.launchDataflowJob({
    work: source,
    run: `${workflowInfo().firstExecutionRunId}/${launch}`,
    namePrefix: 'cupel-stream',
    template: 'stream',
    ...(state.job ? { update: true } : {}),
    parameters: { contract: contract.uri, subscription: streamSubscription(source), report },
  });
  Object.assign(state, { contract, job: { ...job, report }, launchedMs: Date.now(), launches: launch });
}

async function drain(source: string, state: StreamState): Promise<void> {
  if (!state.job) return;
  await short.drainStream({ job: state.job });
  show(source, state, 'draining');
}

function following(source: string, { contract, follow }: StreamState) {
  return { source, contractUri: contract?.uri ?? '', waiter: workflowInfo().workflowId, state: follow };
}

async function watch(source: string, state: StreamState): Promise<void> {
  const { job } = state;
  if (!job) return;
  const seen = await waiting.followStream({ ...following(source, state), job }).catch((error: unknown) => {
    if (isCancellation(error)) throw error;
    noteFailure(state, error);
  });
  // Nobody could look: a matter of rights or settings, which somebody mends while the job goes on.
  if (!seen) return (show(source, state, 'running'), sleep(LOOK_AGAIN));
  take(state, seen);
  if (seen.batches) await noteHealth(source, state);
  if (seen.end) {
    delete state.job;
    if (seen.end.how === 'failed') await afterFailure(state, seen.end, job.report ?? '');
  }
  show(source, state, state.phase);
}

async function afterFailure(state: StreamState, end: StreamEnd, report: string): Promise<void> {
  if (end.code !== 'CUP_FIELDS_NEW' || !state.contract) return noteEnd(state, end);
  try {
    // No failure: the contract takes up what the job saw, and the messages come again.
    await short.takeUpFields({ contractUri: state.contract.uri, report });
  } catch (error) {
    if (isCancellation(error)) throw error;
    noteEnd(state, { how: 'failed', code: codeOf(error), message: messageOf(error) });
  }
}

/** What the last job published is committed before the stream counts as stopped. */
async function settleRest(source: string, state: StreamState): Promise<void> {
  while (state.contract && state.follow.open.length) take(state, await waiting.followStream(following(source, state)));
}
