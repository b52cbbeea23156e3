import { JSONParse, JSONStringify } from 'json-with-bigint';
import { cupelError } from '../../errors.ts';
import type { PartitionSpec, TableMetadata, TableSchema } from './types.ts';

/** Where the catalog is and how a request proves who asks. */
export interface RestCatalogOptions {
  /** Address before `/v1/config`. */
  uri: string;
  /** Warehouse that the catalog is asked for, such as `gs://bucket`. */
  warehouse?: string;
  /** Headers of each request, such as Authorization. Default: none. */
  headers?: () => Promise<Record<string, string>>;
  /** Milliseconds until a request counts as unanswered. Default 60,000. */
  timeoutMs?: number;
}

/** An answer of the catalog; `status` 0: there was none. Whoever asked decides what it means. */
export interface CatalogAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** What a new table is made of. */
export interface NewTable {
  name: string;
  /** Folder of its files. Default: the catalog chooses, below the warehouse. */
  location?: string;
  schema: TableSchema;
  'partition-spec': PartitionSpec;
  properties: Record<string, string>;
}

interface TablePage {
  identifiers?: { name: string }[];
  'next-page-token'?: string | null;
}

/**
 * A client of the Iceberg REST catalog protocol (Iceberg's open API, v1). It retries nothing: a commit whose answer was
 * lost must be looked up, not sent again. Numbers beyond 2^53 (snapshot ids) stay exact, as bigint.
 */
export class RestCatalog {
  readonly #options: RestCatalogOptions;
  #prefix: string | undefined;

  constructor(options: RestCatalogOptions) {
    this.#options = options;
  }

  /** Sends one request; a request without an answer has status 0. */
  async request(method: string, path: string, body?: unknown): Promise<CatalogAnswer> {
    const { uri, headers, timeoutMs = 60_000 } = this.#options;
    try {
      const response = await fetch(uri.replace(/\/$/, '') + path, {
        method,
        headers: { 'content-type': 'application/json', ...(await headers?.()) },
        ...(body === undefined ? {} : { body: JSONStringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      return { status: response.status, body: text ? (JSONParse(text) as Record<string, unknown>) : {} };
    } catch (error) {
      return { status: 0, body: { error: { message: (error as Error).message } } };
    }
  }

  /** The table's metadata, or undefined where there is no such table. */
  async loadTable(namespace: string, name: string): Promise<TableMetadata | undefined> {
    const answer = await this.request('GET', await this.#tablePath(namespace, name));
    if (answer.status === 404) return undefined;
    return expectOk(answer, `load ${namespace}.${name}`).metadata as TableMetadata;
  }

  /** Makes the namespace unless it is there. */
  async ensureNamespace(namespace: string): Promise<void> {
    const answer = await this.request('POST', `${await this.#base()}/namespaces`, { namespace: [namespace] });
    if (answer.status !== 409) expectOk(answer, `create namespace ${namespace}`);
  }

  /** Makes the table unless it is there. */
  async ensureTable(namespace: string, table: NewTable): Promise<TableMetadata> {
    const found = await this.loadTable(namespace, table.name);
    if (found) return found;
    await this.ensureNamespace(namespace);
    const answer = await this.request('POST', `${await this.#namespacePath(namespace)}/tables`, table);
    if (answer.status !== 409) return expectOk(answer, `create ${namespace}.${table.name}`).metadata as TableMetadata;
    const raced = await this.loadTable(namespace, table.name);
    if (!raced) throw cupelError('CUP_CATALOG_UNAVAILABLE', { request: `load ${namespace}.${table.name}` });
    return raced;
  }

  /**
   * Names of the namespace's tables, in the catalog's order; none where there is no such namespace.
   *
   * @param pageSize names asked for at once; a catalog that knows no pages answers all
   */
  async listTables(namespace: string, pageSize = 500): Promise<string[]> {
    const names: string[] = [];
    const path = `${await this.#namespacePath(namespace)}/tables`;
    for (let token: string | undefined = ''; token !== undefined;) {
      const answer = await this.request('GET', `${path}?pageSize=${pageSize}&pageToken=${encodeURIComponent(token)}`);
      if (answer.status === 404) return names;
      const page = expectOk(answer, `list ${namespace}`) as TablePage;
      names.push(...(page.identifiers ?? []).map(({ name }) => name));
      token = page['next-page-token'] || undefined;
    }
    return names;
  }

  /**
   * Takes a table out of the catalog; its files stay (`purgeRequested=false`).
   *
   * @returns false where there is no such table
   */
  async dropTable(namespace: string, name: string): Promise<boolean> {
    const answer = await this.request('DELETE', `${await this.#tablePath(namespace, name)}?purgeRequested=false`);
    if (answer.status === 404) return false;
    expectOk(answer, `drop ${namespace}.${name}`);
    return true;
  }

  /** Sends a commit once. Any status but 200 leaves it unknown whether it took effect. */
  async commit(namespace: string, name: string, requirements: unknown[], updates: unknown[]): Promise<CatalogAnswer> {
    const identifier = { namespace: [namespace], name };
    return this.request('POST', await this.#tablePath(namespace, name), { identifier, requirements, updates });
  }

  async #tablePath(namespace: string, name: string): Promise<string> {
    return `${await this.#namespacePath(namespace)}/tables/${encodeURIComponent(name)}`;
  }

  async #namespacePath(namespace: string): Promise<string> {
    return `${await this.#base()}/namespaces/${encodeURIComponent(namespace)}`;
  }

  /** `/v1` and the catalog's prefix, taken as it is: a catalog may answer one that is encoded already. */
  async #base(): Promise<string> {
    if (this.#prefix !== undefined) return this.#prefix;
    const query = this.#options.warehouse ? `?warehouse=${encodeURIComponent(this.#options.warehouse)}` : '';
    const config = expectOk(await this.request('GET', `/v1/config${query}`), 'config');
    const { overrides, defaults } = config as { overrides?: { prefix?: string }; defaults?: { prefix?: string } };
    const prefix = overrides?.prefix ?? defaults?.prefix;
    this.#prefix = prefix ? `/v1/${prefix}` : '/v1';
    return this.#prefix;
  }
}

function expectOk(answer: CatalogAnswer, request: string): Record<string, unknown> {
  if (answer.status === 200 || answer.status === 204) return answer.body;
  const error = answer.body.error as { message?: string } | undefined;
  const retryable = answer.status === 0 || answer.status === 429 || answer.status >= 500;
  const code = retryable ? 'CUP_CATALOG_UNAVAILABLE' : 'CUP_CATALOG_REFUSED';
  throw cupelError(code, { request, status: answer.status, answer: error?.message ?? '' });
}
