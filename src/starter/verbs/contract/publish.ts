import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { contractChanges, gravest } from '../../../contracts/index.ts';
import type { CompiledContract, ContractChange } from '../../../contracts/index.ts';
import { cupelError } from '../../../errors.ts';
import { loadContract, publishContract } from '../../../lakehouse/contract-store.ts';
import { admitContract } from '../../../lakehouse/published-contract.ts';
import type { PublicationStore } from '../../../lakehouse/published-contract.ts';
import { rebuildId, TASK_QUEUE } from '../../../workflows/ids.ts';
import type { RebuildInput, RebuildResult } from '../../../workflows/rebuild.ts';
import { answer, progress, progressDone } from '../../output.ts';
import { withTemporal } from '../../session.ts';
import { changesTable } from './changes-table.ts';
import { publications, withPublished } from './published.ts';

const EXAMPLES = `
Examples:
  $ cupel contract publish earthquakes                # puts a compatible contract into force
  $ cupel contract publish networks --rebuild         # a breaking one: makes the table anew from all of Bronze

A rebuild by Temporal's own command line, under the file that the workers have:
  $ temporal workflow start --type rebuild --task-queue cupel --workflow-id rebuild/networks \\
      --input '{"source":"networks"}'`;

interface PublishOptions {
  contracts: string;
  rebuild?: boolean;
  detach?: boolean;
  json?: boolean;
}

type Rebuild = (input: RebuildInput) => Promise<RebuildResult>;

/** @throws CupelError CUP_REBUILD_RUNNING: another run may be under another contract, so it is not joined */
async function start(client: Client, input: RebuildInput): Promise<WorkflowHandle<Rebuild>> {
  const workflowId = rebuildId(input.source);
  try {
    return await client.workflow.start<Rebuild>('rebuild', { workflowId, taskQueue: TASK_QUEUE, args: [input] });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw cupelError('CUP_REBUILD_RUNNING', { workflow: workflowId }, error);
    throw error;
  }
}

function linesOf({ table, rebuilt, batches, meanwhile, gold, contractHash }: RebuildResult): string[] {
  return [
    `rebuilt ${table}: ${rebuilt.rows} rows of ${batches} batches, ${rebuilt.bytesWritten} bytes, snapshot ${rebuilt.snapshotId ?? 'none'}`,
    `what came meanwhile: ${meanwhile.committed} batches committed, ${meanwhile.unchanged} unchanged; Gold ${gold.state}`,
    `in force: ${contractHash}`,
  ];
}

async function rebuild(where: PublicationStore, file: CompiledContract, options: PublishOptions): Promise<void> {
  const contractUri = await publishContract(where.store, where.opsBucket, file);
  const input = { source: file.source, contractUri, by: `${userInfo().username}@${hostname()}` };
  await withTemporal(async (client) => {
    const handle = await start(client, input);
    const workflow = handle.workflowId;
    if (options.detach)
      return answer(options, { workflow }, [`${workflow} runs; its page in Temporal says how far it is`]);
    progress(`${workflow} runs`);
    const result = await handle.result();
    progressDone();
    answer(options, result, linesOf(result));
  });
}

function published(options: PublishOptions, contract: CompiledContract, changes: ContractChange[]): void {
  const lines = [...(changes.length ? changesTable(changes) : []), `in force: ${contract.hash}`];
  answer(options, { source: contract.source, hash: contract.hash, changes }, lines);
}

async function publish(source: string, options: PublishOptions): Promise<void> {
  const where = await publications();
  const file = await loadContract(options.contracts, source);
  const { from, to } = await withPublished(where, file);
  const changes = from ? contractChanges(from, to) : [];
  if (options.rebuild && from) return rebuild(where, file, options);
  if (gravest(changes) !== 'compatible') process.stderr.write(`${changesTable(changes).join('\n')}\n`);
  published(options, await admitContract(where, file, { again: true }), changes);
}

/** `cupel contract publish SOURCE [--rebuild]`. */
export function publishCommand(contract: Command): void {
  contract
    .command('publish')
    .description('put the contract in the folder into force; a breaking one needs --rebuild')
    .argument('<source>', 'name of the contract')
    .option('--rebuild', 'make the table anew from all of Bronze, and put the contract into force with it')
    .option('--detach', 'with --rebuild: start it and do not wait')
    .option('--contracts <folder>', 'folder of the contracts', process.env.CUPEL_CONTRACTS_DIR || 'sources')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(publish);
}
