import {
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  sleep,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { FileNews } from '../activities/files.ts';
import type { InboxFile, LandedFile } from '../ingest/land-file.ts';
import { short, waiting, working } from './activities.ts';
import { announceFailure } from './announce.ts';
import { codeOf, messageOf } from './failures.ts';
import { pipelineId } from './ids.ts';
import { tellOutside } from './tell-outside.ts';
import { tag } from './visibility.ts';

/** A file that somebody dropped into the inbox. */
export type FileArrivalInput = InboxFile;

/** What became of a file. */
export interface FileArrivalResult {
  landed: LandedFile;
  /** `processed`: its rows are in Silver, and Gold was made. `landed`: the next run of the source takes it. */
  state: 'landed' | 'processed';
}

const HOUR_MS = 3_600_000;

/** Between two tries for a range that another run has. */
const HELD_WAIT = '10 seconds';

/**
 * Workflow `file/<bucket>/<name>/<generation>`: lands a dropped file in Bronze, enters what there is to know of it, processes it
 * at once where its feed has a high priority, and tells systems outside.
 */
export async function fileArrival(file: FileArrivalInput): Promise<FileArrivalResult> {
  const source = file.name.split('/', 1)[0] ?? '';
  tag({ source, kind: 'file', stage: 'ingest' }, `**${file.name}**: lands in Bronze`);
  try {
    return await run(file, source);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await recordFailure(file, source, error);
    throw error;
  }
}

/** Codes of a file that never came into Bronze. */
const REFUSED = new Set(['CUP_FILE_MISPLACED', 'CUP_FILE_REFUSED', 'CUP_OBJECT_NOT_FOUND', 'CUP_SOURCE_UNKNOWN']);

async function recordFailure(file: InboxFile, source: string, error: unknown): Promise<void> {
  const code = codeOf(error);
  const state = REFUSED.has(code) ? 'refused' : 'failed';
  await short.recordFile({ source, file, state, detail: { code } });
  await tellOutside({ ...newsOf(`file.${state}`, file, source), code });
  await announceFailure(`file/${file.name}`, source, error);
  const todo =
    state === 'refused'
      ? `Mend the file and drop it again, or mend the contract and run \`cupel redrive ${source}\`.`
      : `It is in Bronze: \`cupel run ${source}\`.`;
  setCurrentDetails(`**${file.name}** ${state}: \`${code}\`. ${todo}\n\n${messageOf(error)}`);
}

async function run(file: InboxFile, source: string): Promise<FileArrivalResult> {
  const landed = await working.landFile(file);
  const { object, description } = landed;
  const about = { object, description };
  if (landed.priority !== 'high') {
    await tellOutside({ ...newsOf('file.landed', file, source), ...about });
    setCurrentDetails(`**${file.name}** is in Bronze as \`${object}\`; the next run of ${source} takes it`);
    return { landed, state: 'landed' };
  }
  setCurrentDetails(`**${file.name}** is in Bronze as \`${object}\` and is being processed`);
  await processHour(source, landed.hour);
  await short.recordFile({ source, file, state: 'processed', detail: about });
  await tellOutside({ ...newsOf('file.processed', file, source), ...about });
  setCurrentDetails(
    `**${file.name}**: ${description.records} records, ${description.refused} refused, processed; Gold was made`,
  );
  return { landed, state: 'processed' };
}

function newsOf(type: FileNews['type'], file: InboxFile, source: string): FileNews {
  return { type, file, source };
}

/** Runs the pipeline over the file's hour: one that began before the file landed may not have seen it, so it is only waited for. */
async function processHour(source: string, hour: string): Promise<void> {
  const start = Date.parse(`${hour}:00:00Z`);
  const range = { from: `${hour}:00:00Z`, to: `${new Date(start + HOUR_MS).toISOString().slice(0, 19)}Z` };
  const workflowId = pipelineId(source, range.from, range.to);
  for (;;) {
    try {
      await executeChild('pipeline', {
        workflowId,
        args: [{ source, ...range }],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        // A file's run that is terminated must not tear the pipeline from its jobs.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      });
      return;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError)
        await waiting.awaitWorkflow({ workflowId }).catch(ignored);
      else if (codeOf(error) === 'CUP_RANGE_LEASED') await sleep(HELD_WAIT);
      else throw error;
    }
  }
}

/** How another's run ended is its own business: ours comes after it. */
function ignored(error: unknown): void {
  if (isCancellation(error)) throw error;
}
