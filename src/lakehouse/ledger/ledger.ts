import type { BigQuery } from '@google-cloud/bigquery';
import { googleCode, googleError } from '../../gcp/errors.ts';
import type { EventKind, LedgerEvent } from './events.ts';

const DATASET = 'ops';
const TABLE = 'events';

/** Rows of one insert: BigQuery recommends at most 500. */
const BATCH = 500;

const SCHEMA = [
  { name: 'event_id', type: 'STRING', mode: 'REQUIRED' },
  { name: 'kind', type: 'STRING', mode: 'REQUIRED' },
  { name: 'source', type: 'STRING', mode: 'REQUIRED' },
  { name: 'subject', type: 'STRING', mode: 'REQUIRED' },
  { name: 'state', type: 'STRING', mode: 'REQUIRED' },
  { name: 'fingerprint', type: 'STRING', mode: 'REQUIRED' },
  { name: 'occurred_at', type: 'TIMESTAMP', mode: 'REQUIRED' },
  { name: 'detail', type: 'STRING', mode: 'REQUIRED' },
];

/** The newest event of each subject: what the views and every reader show. */
const LATEST = `
  SELECT event_id, kind, source, subject, state, fingerprint, occurred_at, detail
  FROM \`ops.events\`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY kind, source, subject ORDER BY occurred_at DESC, event_id DESC) = 1`;

/** The newest state of one subject. */
export interface LedgerState {
  kind: EventKind;
  subject: string;
  state: string;
  fingerprint: string;
  occurredAt: string;
  detail: Record<string, unknown>;
}

/**
 * The ledger: append-only events in BigQuery and their newest state. It is a projection of Bronze, manifests and their
 * outcomes; `cupel ledger rebuild` makes it anew, and data never waits for it.
 */
export class Ledger {
  readonly #bigquery: BigQuery;

  constructor(bigquery: BigQuery) {
    this.#bigquery = bigquery;
  }

  /** Makes dataset, table and view unless they are there. */
  async ensure(): Promise<void> {
    await existing(this.#bigquery.createDataset(DATASET));
    const timePartitioning = { type: 'DAY', field: 'occurred_at' };
    await existing(
      this.#bigquery.dataset(DATASET).createTable(TABLE, { schema: { fields: SCHEMA }, timePartitioning }),
    );
    await this.#query(`CREATE OR REPLACE VIEW \`ops.latest\` AS ${LATEST}`);
  }

  /** Adds events. BigQuery drops those whose id came within the last minute; older duplicates are hidden by the view. */
  async append(events: LedgerEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += BATCH) {
      const rows = events.slice(at, at + BATCH).map((event) => ({ insertId: event.event_id, json: event }));
      try {
        await this.#bigquery.dataset(DATASET).table(TABLE).insert(rows, { raw: true });
      } catch (error) {
        throw googleError('BigQuery', `insert into ${DATASET}.${TABLE}`, error);
      }
    }
  }

  /** Newest states of a source, of the kinds asked for. */
  async latest(source: string, kinds: EventKind[]): Promise<LedgerState[]> {
    const rows = await this.#query(
      `SELECT kind, subject, state, fingerprint, FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', occurred_at) AS occurred_at, detail
       FROM (${LATEST}) WHERE source = @source AND kind IN UNNEST(@kinds) ORDER BY kind, subject`,
      { source, kinds },
    );
    return rows.map((row) => ({
      kind: row.kind as EventKind,
      subject: String(row.subject),
      state: String(row.state),
      fingerprint: String(row.fingerprint),
      occurredAt: String(row.occurred_at),
      detail: JSON.parse(String(row.detail)) as Record<string, unknown>,
    }));
  }

  async #query(query: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>[]> {
    try {
      // Never bigquery.query(): it hides the errors of a job.
      const [job] = await this.#bigquery.createQueryJob({ query, params });
      const [rows] = await job.getQueryResults();
      return rows as Record<string, unknown>[];
    } catch (error) {
      throw googleError('BigQuery', 'query of the ledger', error);
    }
  }
}

async function existing(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (googleCode(error) !== 409) throw googleError('BigQuery', 'create the ledger', error);
  }
}
