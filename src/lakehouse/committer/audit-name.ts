import { cupelError } from '../../errors.ts';

/** Ids make names of tables and of BigQuery datasets, and URIs of folders. */
const AUDIT_ID = /^[a-z0-9]{1,40}$/;

/** What the names of all audit tables of a table begin with. */
export function auditPrefix(table: string): string {
  return `${table}__audit_`;
}

/**
 * Name of an audit table, without its namespace.
 *
 * @param table name of the table that is audited, without its namespace
 * @throws CupelError CUP_AUDIT_ID
 */
export function auditName(table: string, auditId: string): string {
  if (!AUDIT_ID.test(auditId)) throw cupelError('CUP_AUDIT_ID', { auditId });
  return auditPrefix(table) + auditId;
}

/**
 * What Dataform is to add to the names of an audit's datasets: `gold` becomes `gold_audit_<id>`.
 *
 * @throws CupelError CUP_AUDIT_ID
 */
export function auditSuffix(auditId: string): string {
  if (!AUDIT_ID.test(auditId)) throw cupelError('CUP_AUDIT_ID', { auditId });
  return `audit_${auditId}`;
}
