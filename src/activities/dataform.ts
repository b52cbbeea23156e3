import { activityInfo, CancelledFailure, Context } from '@temporalio/activity';
import { cupelError } from '../errors.ts';
import { FAILED_PRECONDITION, googleCode, googleError, isTransient, NOT_FOUND } from '../gcp/errors.ts';
import { withHeartbeat } from './heartbeats.ts';
import { leaveToNextWorker, MAX_MISSES, pause } from './polling.ts';
import type { ActivityResources } from './resources.ts';

/** A compiled snapshot of the SQL project. */
export interface Compilation {
  /** Resource name: unique, so it is the idempotency key of the invocation. */
  name: string;
  /** Commit that was compiled. */
  commit: string;
}

/** One action of an invocation, for reports. */
interface ActionOutcome {
  target: string;
  state: string;
  reason: string;
  jobId: string;
}

/** Compiling spawns a sandbox; minutes are possible. */
const COMPILE_TIMEOUT_MS = 110_000;
const TIMEOUT = { timeout: 60_000 };
const TERMINAL = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

/** Activities on Dataform. */
export function dataformActivities({ environment, dataform }: ActivityResources) {
  const parent = environment.dataformRepository;

  async function look(invocation: string, misses: number): Promise<string | undefined> {
    try {
      const [found] = await dataform.getWorkflowInvocation({ name: invocation }, TIMEOUT);
      return String(found.state);
    } catch (error) {
      if (isTransient(error) && misses < MAX_MISSES) return undefined;
      if (googleCode(error) === NOT_FOUND) throw cupelError('CUP_DATAFORM_LOST', { invocation }, error);
      throw googleError('Dataform', `get ${invocation}`, error);
    }
  }

  async function outcomes(invocation: string): Promise<ActionOutcome[]> {
    const found: ActionOutcome[] = [];
    for await (const action of dataform.queryWorkflowInvocationActionsAsync({ name: invocation }, TIMEOUT)) {
      const target = `${action.target?.schema ?? ''}.${action.target?.name ?? ''}`;
      found.push({
        target,
        state: String(action.state),
        reason: action.failureReason ?? '',
        jobId: action.bigqueryAction?.jobId ?? '',
      });
    }
    return found;
  }

  /** Failed assertions are an outcome of the data and not of the machinery: no retry mends them. */
  async function failure(invocation: string, state: string): Promise<Error> {
    const failed = (await outcomes(invocation)).filter((action) => action.state === 'FAILED');
    const actions = failed
      .map(({ target, reason, jobId }) => `${target}: ${reason} (job ${jobId || 'none'})`)
      .join('; ');
    if (state === 'CANCELLED') return cupelError('CUP_DATAFORM_CANCELLED', { invocation });
    const onlyAssertions = failed.length > 0 && failed.every(({ reason }) => /assertion failed/i.test(reason));
    return cupelError(onlyAssertions ? 'CUP_DATAFORM_ASSERTION_FAILED' : 'CUP_DATAFORM_INVOCATION_FAILED', {
      invocation,
      actions,
    });
  }

  async function cancel(invocation: string): Promise<void> {
    try {
      await dataform.cancelWorkflowInvocation({ name: invocation }, TIMEOUT);
    } catch (error) {
      if (googleCode(error) !== FAILED_PRECONDITION) throw googleError('Dataform', `cancel ${invocation}`, error);
    }
  }

  async function awaitEnd(invocation: string, tell: (details: unknown) => void): Promise<void> {
    const { cancellationSignal } = Context.current();
    let misses = 0;
    let cancelled = false;
    for (;;) {
      const state = await look(invocation, misses);
      misses = state === undefined ? misses + 1 : 0;
      tell({ invocation, state });
      if (state !== undefined && TERMINAL.has(state)) {
        if (cancellationSignal.aborted) throw new CancelledFailure(`${invocation} ended as ${state}`);
        if (state === 'SUCCEEDED') return;
        throw await failure(invocation, state);
      }
      if (cancellationSignal.aborted && !cancelled) {
        leaveToNextWorker();
        await cancel(invocation);
        cancelled = true;
      }
      if (cancelled) await new Promise((resolve) => setTimeout(resolve, Math.min(environment.pollIntervalMs, 5_000)));
      else await pause(environment.pollIntervalMs);
    }
  }

  return {
    /**
     * Compiles the project for one time of Silver.
     *
     * @param vars further variables of the compilation. Default: none
     * @param schemaSuffix added to the name of every dataset that is written, after `_`; declared tables keep theirs. Default:
     *   Gold itself is written
     * @throws CupelError CUP_DATAFORM_COMPILATION_FAILED with every error and its file
     */
    async compileDataform({
      asOf,
      vars = {},
      schemaSuffix,
    }: {
      asOf: string;
      vars?: Record<string, string>;
      schemaSuffix?: string;
    }): Promise<Compilation> {
      const codeCompilationConfig = {
        defaultDatabase: environment.project,
        vars: { ...vars, as_of: asOf, catalog: environment.catalog.name },
        ...(schemaSuffix ? { schemaSuffix } : {}),
      };
      const request = { parent, compilationResult: { gitCommitish: 'main', codeCompilationConfig } };
      try {
        const [result] = await dataform.createCompilationResult(request, { timeout: COMPILE_TIMEOUT_MS });
        const errors = (result.compilationErrors ?? []).map((error) => `${error.path ?? ''}: ${error.message ?? ''}`);
        if (errors.length) throw cupelError('CUP_DATAFORM_COMPILATION_FAILED', { errors: errors.join('; ') });
        return { name: result.name ?? '', commit: result.resolvedGitCommitSha ?? '' };
      } catch (error) {
        throw googleError('Dataform', 'createCompilationResult', error);
      }
    },

    /** Starts the actions with these tags. After a lost answer it adopts the invocation of the same compilation. */
    async startDataform({ compilationResult, tags }: { compilationResult: string; tags: string[] }): Promise<string> {
      try {
        if (activityInfo().attempt > 1) {
          for await (const known of dataform.listWorkflowInvocationsAsync({ parent, orderBy: 'name desc' }, TIMEOUT)) {
            if (known.compilationResult === compilationResult && known.name) return known.name;
          }
        }
        const workflowInvocation = {
          compilationResult,
          invocationConfig: { includedTags: tags, transitiveDependenciesIncluded: true },
        };
        const [started] = await dataform.createWorkflowInvocation({ parent, workflowInvocation }, TIMEOUT);
        return started.name ?? '';
      } catch (error) {
        if (googleCode(error) === NOT_FOUND) throw cupelError('CUP_DATAFORM_LOST', { compilationResult }, error);
        throw googleError('Dataform', 'createWorkflowInvocation', error);
      }
    },

    /** Stops an invocation that nobody waits for any more; one that has ended stays as it is. */
    async cancelDataform({ invocation }: { invocation: string }): Promise<void> {
      await cancel(invocation);
    },

    /**
     * Waits for an invocation. Cancelling the activity cancels it and waits until it has ended.
     *
     * @throws CupelError CUP_DATAFORM_ASSERTION_FAILED, CUP_DATAFORM_INVOCATION_FAILED, CUP_DATAFORM_CANCELLED
     */
    awaitDataform: ({ invocation }: { invocation: string }): Promise<void> =>
      withHeartbeat((tell) => awaitEnd(invocation, tell)),
  };
}
