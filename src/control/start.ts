import { createHash } from 'node:crypto';
import { ServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowStartOptions } from '@temporalio/client';
import { cupelError } from '../errors.ts';
import { googleCode } from '../gcp/errors.ts';
import { loadContract } from '../lakehouse/contract-store.ts';
import { resolveRange } from '../lakehouse/planning/local-days.ts';
import { backfillId, controlTickId, fileArrivalId, TASK_QUEUE } from '../workflows/ids.ts';
import type { ControlMessage } from './message.ts';

/** What became of a message. */
export interface Controlled {
  workflowId: string;
  /** `started`: it runs, by this message or by one before. `over`: it ran before and is not run again. */
  state: 'started' | 'over';
}

/** Milliseconds that Temporal has for an answer. */
const ANSWER_WITHIN_MS = 10_000;

type Start = Required<
  Pick<WorkflowStartOptions, 'workflowId' | 'workflowIdReusePolicy' | 'staticSummary'> & { args: [object] }
> & { type: 'tick' | 'backfill' | 'fileArrival' };

/** Most bytes of a name in a workflow's id, of which Temporal takes 1,000 in all. */
const LONGEST_NAME = 600;

function planOfFile({ bucket, name, generation }: Extract<ControlMessage, { kind: 'file' }>): Start {
  const long = Buffer.byteLength(name) > LONGEST_NAME;
  const shortName = long ? createHash('sha256').update(name).digest('hex') : name;
  return {
    type: 'fileArrival',
    workflowId: fileArrivalId({ bucket, name: shortName, generation }),
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    staticSummary: name.slice(0, 200),
    args: [{ bucket, name, generation }],
  };
}

/** A message may come twice, also after its workflow has ended: which of them start anew is decided by the policy. */
async function planOf(message: ControlMessage, contractsDirectory: string): Promise<Start> {
  if (message.kind === 'file') return planOfFile(message);
  if (message.kind !== 'backfill') {
    const { kind, source, feed } = message;
    const staticSummary = [kind, source, feed].filter(Boolean).join(' ');
    const workflowId = controlTickId(message);
    return { type: 'tick', workflowId, workflowIdReusePolicy: 'REJECT_DUPLICATE', staticSummary, args: [message] };
  }
  const { source } = message;
  const { timeZone } = await loadContract(contractsDirectory, source);
  const range = resolveRange(message.from, message.to, timeZone);
  return {
    type: 'backfill',
    workflowId: backfillId(source, range.from, range.to),
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    staticSummary: `${source} ${range.from} to ${range.to}`,
    args: [{ source, ...range }],
  };
}

/**
 * Starts what a message asks for under its logical id; the same message once more joins it, or finds it over.
 *
 * @param contractsDirectory folder of contracts: the time zone of a backfill's dates comes from there
 * @throws CupelError CUP_TEMPORAL_UNAVAILABLE; CUP_SOURCE_UNKNOWN and CUP_RANGE_INVALID for a backfill that can never be
 */
export async function startControlled(
  client: Client,
  contractsDirectory: string,
  message: ControlMessage,
): Promise<Controlled> {
  const { type, workflowId, ...options } = await planOf(message, contractsDirectory);
  try {
    await client.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      client.workflow.start(type, {
        ...options,
        workflowId,
        taskQueue: TASK_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
    return { workflowId, state: 'started' };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { workflowId, state: 'over' };
    if (!(error instanceof ServiceError)) throw error;
    throw cupelError('CUP_TEMPORAL_UNAVAILABLE', { code: googleCode(error.cause ?? error) ?? 'none' }, error);
  }
}
