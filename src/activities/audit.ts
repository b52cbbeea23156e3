import type { Dataset } from '@google-cloud/bigquery';
import { googleError, isNotFound } from '../gcp/errors.ts';
import {
  auditSuffix,
  createAuditTable,
  dropAuditTable,
  listAudits,
  mergeIntoAudit,
} from '../lakehouse/committer/index.ts';
import type { Audit, AuditMerge, AuditRun } from '../lakehouse/committer/index.ts';
import { contractOfTable } from '../lakehouse/published-contract.ts';
import { withHeartbeat } from './heartbeats.ts';
import { isOpen } from './open-runs.ts';
import type { ActivityResources } from './resources.ts';

/** What merging batches into an audit table did, and from when on it is seen. */
export interface MergedAudit extends AuditMerge {
  /**
   * The time that Gold reads the audit as of: our clock, or a millisecond after the audit table's newest snapshot where that
   * is later, so that all of the audit is seen.
   */
  asOf: string;
}

/** Activities on audit tables, where what a backfill made is looked at before it is published. */
export function auditActivities(resources: ActivityResources) {
  const { store, environment, bigquery, temporal, now } = resources;
  const publications = { store, opsBucket: environment.buckets.ops };

  async function datasets(): Promise<Dataset[]> {
    try {
      const [found] = await bigquery.getDatasets();
      return found;
    } catch (error) {
      throw googleError('BigQuery', 'list datasets', error);
    }
  }

  return {
    /**
     * Makes the audit table of a contract's table, with the rows of now.
     *
     * @param run whose audit it is
     * @throws CupelError CUP_AUDIT_ID
     */
    async createAudit(input: { contractUri: string; auditId: string; run: AuditRun }): Promise<Audit> {
      const contract = await contractOfTable(publications, input.contractUri);
      return withHeartbeat(() => createAuditTable(resources, contract, input.auditId, input.run));
    },

    /**
     * Merges batches into the audit table; the audited table and the batches' outcomes stay as they are.
     *
     * @throws CupelError CUP_AUDIT_MISSING, CUP_DELTA_INVALID
     */
    async mergeIntoAudit(input: { contractUri: string; auditId: string; batchIds: string[] }): Promise<MergedAudit> {
      const contract = await contractOfTable(publications, input.contractUri);
      const merged = await withHeartbeat(() => mergeIntoAudit(resources, contract, input.auditId, input.batchIds));
      return { ...merged, asOf: new Date(Math.max(now(), merged.newestMs + 1)).toISOString() };
    },

    /** Ids of audits whose run is closed: one that was terminated dropped nothing. */
    async closedAudits({ contractUri }: { contractUri: string }): Promise<string[]> {
      const audits = await listAudits(resources, await contractOfTable(publications, contractUri));
      const open = await Promise.all(audits.map(({ run }) => isOpen(temporal, run)));
      return audits.filter((_, index) => !open[index]).map(({ auditId }) => auditId);
    },

    /** Drops the audit table and deletes the files that are its own; one that is gone already is no error. */
    async dropAudit({ contractUri, auditId }: { contractUri: string; auditId: string }): Promise<{ files: number }> {
      const contract = await contractOfTable(publications, contractUri);
      return { files: await withHeartbeat(() => dropAuditTable(resources, contract, auditId)) };
    },

    /** Deletes the datasets that Dataform wrote for an audit, with all their tables; none is no error. */
    async dropAuditDatasets({ auditId }: { auditId: string }): Promise<{ datasets: string[] }> {
      const suffix = `_${auditSuffix(auditId)}`;
      const own = (await datasets()).filter(({ id }) => id?.endsWith(suffix));
      for (const dataset of own) {
        try {
          await dataset.delete({ force: true });
        } catch (error) {
          if (!isNotFound(error)) throw googleError('BigQuery', `delete dataset ${dataset.id ?? ''}`, error);
        }
      }
      return { datasets: own.map(({ id }) => id ?? '') };
    },
  };
}
