import { heartbeat } from '@temporalio/activity';
import { tableName } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import { logFolder } from '../lakehouse/append-log/index.ts';
import { bronzeRange } from '../lakehouse/bronze/index.ts';
import { rebuildTable } from '../lakehouse/committer/index.ts';
import { contractUri, loadContract, readContract } from '../lakehouse/contract-store.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import {
  abandonRebuild,
  announceRebuild,
  completeRebuild,
  contractOfRebuild,
  publishedContract,
} from '../lakehouse/published-contract.ts';
import { ensureRawTable } from '../lakehouse/raw/index.ts';
import type { CommitterInput } from '../workflows/committer.ts';
import { committerId } from '../workflows/ids.ts';
import { askEntity } from './ask-entity.ts';
import type { ContractReference } from './contracts.ts';
import { withHeartbeat } from './heartbeats.ts';
import type { ActivityResources } from './resources.ts';

/** A rebuild that was announced. */
export interface AnnouncedRebuild {
  contract: Pick<ContractReference, 'hash' | 'uri' | 'table'>;
  /** All that Bronze holds, whole hours in UTC. */
  range: { from: string; to: string };
}

/** What a committer is asked to rebuild its table from. */
export interface RebuildRequest {
  source: string;
  /** Hash of the announced contract. */
  contractHash: string;
  batchIds: string[];
}

/** What a rebuild did to its table. */
export interface RebuiltTable {
  snapshotId: string | null;
  /** Rows of the batches; of one key there may be several. */
  rows: number;
  bytesWritten: number;
}

/** Activities of rebuilds. */
export function rebuildActivities(resources: ActivityResources) {
  const { environment, store, bigquery, ledger, temporal, now } = resources;
  const { buckets, contractsDirectory } = environment;
  const publications = { store, opsBucket: buckets.ops };

  /** Records of a log are only ever added, so its own objects would keep what older rules made. */
  async function refuseSameLog(contract: CompiledContract): Promise<void> {
    const inForce = await publishedContract(publications, contract.source);
    const same = inForce && logFolder(buckets.silver, inForce) === logFolder(buckets.silver, contract);
    if (contract.sink.kind === 'append-log' && same)
      throw cupelError('CUP_REBUILD_UNSUPPORTED', {
        expected: 'another sink.table for a log',
        table: tableName(contract),
      });
  }

  /** @throws CupelError CUP_REBUILD_UNSUPPORTED where Bronze holds nothing */
  async function rangeOf(contract: CompiledContract): Promise<AnnouncedRebuild['range']> {
    const { source } = contract;
    const range = await bronzeRange(store, buckets.bronze, contract);
    if (!range) throw cupelError('CUP_REBUILD_UNSUPPORTED', { expected: 'objects in Bronze', source });
    return { from: range.from.toISOString(), to: range.to.toISOString() };
  }

  return {
    /**
     * Announces a rebuild: from now on it is known under which contract, and runs go on under the one in force.
     *
     * @param pinned URI of the contract to rebuild under. Default: that of the source's file
     * @throws CupelError CUP_REBUILD_UNSUPPORTED, CUP_CONTRACT_UNPUBLISHED
     */
    async announceRebuild({ source, pinned }: { source: string; pinned?: string }): Promise<AnnouncedRebuild> {
      const file = pinned ? await readContract(store, pinned) : await loadContract(contractsDirectory, source);
      await refuseSameLog(file);
      const range = await withHeartbeat(() => rangeOf(file));
      const contract = await announceRebuild(publications, file);
      const { hash } = contract;
      return {
        contract: { hash, uri: contractUri(buckets.ops, source, hash), table: tableName(contract) },
        range,
      };
    },

    /** All that a source's Bronze holds by now. */
    async readBronzeRange({ contractUri: uri }: { contractUri: string }): Promise<AnnouncedRebuild['range']> {
      const contract = await readContract(store, uri);
      return withHeartbeat(() => rangeOf(contract));
    },

    /** Gives a rebuild up that is not in force yet; the source stays as it is. */
    async abandonRebuild({ source, contractHash }: { source: string; contractHash: string }): Promise<void> {
      await abandonRebuild(publications, source, contractHash);
    },

    /**
     * Asks the committer of the table, its only writer, to rebuild it, and waits until it has.
     *
     * @param run names the asking run, so that asking again is joined
     */
    async requestRebuild(input: RebuildRequest & { table: string; run: string }): Promise<RebuiltTable> {
      const { table, run, ...request } = input;
      const entity = { type: 'committer', workflowId: committerId(table), input: { table } satisfies CommitterInput };
      const ask = { update: 'rebuildNow', input: request satisfies RebuildRequest, updateId: `rebuild-${run}` };
      return withHeartbeat(() => askEntity(temporal, entity, ask));
    },

    /** Makes the table anew and puts the contract into force; only the committer of the table calls it. Safe to repeat. */
    async rebuildTable({ source, contractHash, batchIds }: RebuildRequest): Promise<RebuiltTable> {
      const contract = await contractOfRebuild(publications, source, contractHash);
      return withHeartbeat(async () => {
        const putIntoForce = async (): Promise<void> => {
          await ensureRawTable(bigquery, contract);
          await completeRebuild(publications, source, contractHash);
        };
        const dones = await rebuildTable(resources, contract, batchIds, putIntoForce);
        heartbeat();
        const rows = dones.reduce((sum, done) => sum + done.rows, 0);
        return { snapshotId: dones[0]?.snapshotId ?? null, rows, bytesWritten: dones[0]?.groupBytesWritten ?? 0 };
      });
    },

    /** Enters that a table was rebuilt: by whom, under which contract. */
    async recordRebuild(done: { source: string; table: string; run: string; detail: object }): Promise<void> {
      const { source, table, run, detail } = done;
      await ledger.append([ledgerEvent('rebuild', source, table, 'done', '', detail, new Date(now()), run)]);
    },
  };
}
