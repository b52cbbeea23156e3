import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JSONParse, JSONStringify } from 'json-with-bigint';
import { closeServer } from '../../metadata/server.ts';
import { ApiError, jobError } from './api-error.ts';
import { intoDestination } from './destination.ts';
import type { QueryConfiguration } from './destination.ts';
import { bytesRead } from './dry-run.ts';
import type { Emulator } from './emulator.ts';
import { Forwarder, readBody, reply, replyJson } from './forwarder.ts';
import type { Answer } from './forwarder.ts';
import { InsertIds } from './insert-ids.ts';
import type { InsertAll } from './insert-ids.ts';
import { replaceMaterializedView } from './materialized-views.ts';
import type { Statements } from './statements.ts';

interface JobBody {
  jobReference?: { jobId?: string; location?: string };
  configuration?: { query?: QueryConfiguration; dryRun?: boolean };
}

interface DryRunAnswer {
  statistics?: { query?: object };
}

interface QueryAnswer {
  errors?: { reason?: string; message?: string }[];
  schema?: { fields?: object[] };
}

interface TableBody {
  view?: { query?: string };
  materializedView?: { query?: string };
}

interface InsertAnswer {
  insertErrors?: { index?: number }[];
}

/** A running front. */
export interface Front {
  url: string;
  port: number;
  /** The emulator was started again: it has no rows of the jobs before. */
  emulatorRestarted(): void;
  stop(): Promise<void>;
}

/** What a front is made of. */
export interface FrontOptions {
  emulator: Emulator;
  statements: Statements;
  /** Default: a free one. */
  port?: number;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  body: Buffer;
  /** Groups of the route's pattern. */
  at: string[];
}

type Route = [method: string, pattern: RegExp, answer: (exchange: Exchange) => Promise<void>];

const inProject = (path: string): RegExp => new RegExp(`^/bigquery/v2/projects/([^/]+)/${path}$`);

/** Body of a request; numbers beyond 2^53 stay exact. */
function parse<T>(body: Buffer): T {
  try {
    return JSONParse(body.toString('utf8')) as T;
  } catch {
    throw new ApiError(400, 'parseError', 'Parse Error: the body is no JSON');
  }
}

const serialise = (body: object): Buffer => Buffer.from(JSONStringify(body));

/** Adds to the emulator what its clients need to be able to rely on, and passes on everything else. */
class FrontServer {
  readonly #emulator: Emulator;
  readonly #statements: Statements;
  readonly #forwarder: Forwarder;
  readonly #jobs = new Set<string>();
  /** Those of an emulator that died. */
  readonly #lost = new Set<string>();
  readonly #insertIds = new InsertIds();
  readonly #routes: Route[] = [
    ['POST', inProject('jobs'), (exchange) => this.#job(exchange)],
    ['POST', inProject('queries'), (exchange) => this.#query(exchange)],
    ['GET', inProject('queries/([^/]+)'), (exchange) => this.#results(exchange)],
    ['GET', inProject('jobs/([^/]+)'), (exchange) => this.#state(exchange)],
    ['POST', inProject('(datasets/[^/]+/tables/[^/]+)/insertAll'), (exchange) => this.#insert(exchange)],
    ['DELETE', inProject('(datasets/[^/]+(?:/tables/[^/]+)?)'), (exchange) => this.#delete(exchange)],
    ['GET', inProject('datasets'), (exchange) => this.#datasets(exchange)],
    ...['POST', 'PUT', 'PATCH'].map((method): Route => [
      method,
      inProject('datasets/[^/]+/tables(?:/[^/]+)?'),
      (exchange) => this.#table(exchange),
    ]),
  ];

  constructor({ emulator, statements }: FrontOptions) {
    this.#emulator = emulator;
    this.#statements = statements;
    this.#forwarder = new Forwarder(emulator.url);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const body = await readBody(request);
    for (const [method, pattern, answer] of this.#routes) {
      const match = request.method === method ? pattern.exec(path) : undefined;
      if (match) return answer({ request, response, body, at: match.slice(1) });
    }
    reply(response, await this.#forwarder.send(request, body));
  }

  /** Jobs that the emulator made before it died are gone with their rows. */
  loseJobs(): void {
    for (const jobId of this.#jobs) this.#lost.add(jobId);
  }

  /** A lost job is answered as a fault of the service, which clients try again, and not as one that never was. */
  #refuseLost(jobId: string): void {
    if (this.#lost.has(jobId)) throw new ApiError(503, 'backendError', `job ${jobId} was lost with the emulator`);
  }

  async #state({ request, response, body, at: [, jobId = ''] }: Exchange): Promise<void> {
    this.#refuseLost(jobId);
    reply(response, await this.#forwarder.send(request, body));
  }

  async #job({ request, response, body, at: [project = ''] }: Exchange): Promise<void> {
    const job = parse<JobBody>(body);
    const { jobId, location } = job.jobReference ?? {};
    // A dry run makes no job, so its id stays free.
    const dryRun = job.configuration?.dryRun === true;
    if (jobId && this.#jobs.has(jobId))
      throw new ApiError(409, 'duplicate', `Already Exists: Job ${project}:${location ?? 'US'}.${jobId}`);
    if (jobId && !dryRun) this.#jobs.add(jobId);
    let made = false;
    try {
      const query = job.configuration?.query;
      if (query?.query) {
        const sql = await this.#statements.rewrite(query.query);
        query.query = dryRun ? sql : await this.#understood(sql, query);
      }
      const answer = await this.#forwarder.send(request, serialise(job));
      made = answer.status < 300;
      reply(response, dryRun && made ? await this.#dryRun(answer, query?.query ?? '') : answer);
    } finally {
      if (jobId && !made) this.#jobs.delete(jobId); // so that it may be tried again
    }
  }

  async #understood(sql: string, query: QueryConfiguration): Promise<string> {
    return intoDestination(await replaceMaterializedView(sql, this.#emulator), query, this.#emulator);
  }

  /** The answer to a dry run with the bytes that it would read, of which the emulator knows nothing. */
  async #dryRun(answer: Answer, sql: string): Promise<Answer> {
    const job = parse<DryRunAnswer>(answer.body);
    const totalBytesProcessed = String(await bytesRead(sql, this.#emulator));
    const query = { ...job.statistics?.query, totalBytesProcessed };
    return { ...answer, body: serialise({ ...job, statistics: { ...job.statistics, totalBytesProcessed, query } }) };
  }

  /** A query that fails is answered with its error; the emulator answers no rows, which looks like success. */
  async #query({ request, response, body }: Exchange): Promise<void> {
    const asked = parse<QueryConfiguration>(body);
    const query = await replaceMaterializedView(await this.#statements.rewrite(asked.query ?? ''), this.#emulator);
    const answer = await this.#forwarder.send(request, serialise({ ...asked, query }));
    const { errors, schema } = answer.status < 300 ? parse<QueryAnswer>(answer.body) : {};
    if (errors?.[0] && !schema?.fields?.length) throw jobError(errors[0]);
    reply(response, answer);
  }

  /** Rows of a job that failed are answered with its error; the emulator says that there is no such job. */
  async #results({ request, response, body, at: [, jobId = ''] }: Exchange): Promise<void> {
    this.#refuseLost(jobId);
    const answer = await this.#forwarder.send(request, body);
    this.#refuseLost(jobId);
    if (answer.status === 404) {
      const job = await this.#emulator.request('GET', `/jobs/${jobId}`);
      const { errorResult } = (job.body.status ?? {}) as { errorResult?: { reason?: string; message?: string } };
      if (job.status < 300 && errorResult) throw jobError(errorResult);
    }
    reply(response, answer);
  }

  async #insert({ request, response, body, at: [, table = ''] }: Exchange): Promise<void> {
    const rows = parse<InsertAll>(body);
    await this.#insertIds.insert(table, rows, async (fresh) => {
      if (!fresh.length && rows.rows?.length) {
        replyJson(response, 200, { kind: 'bigquery#tableDataInsertAllResponse' });
        return true;
      }
      const all = fresh.length === (rows.rows?.length ?? 0);
      const sent = all ? body : serialise({ ...rows, rows: fresh.map((index) => rows.rows?.[index]) });
      const answer = await this.#forwarder.send(request, sent);
      const inserted = answer.status < 300 ? parse<InsertAnswer>(answer.body) : {};
      // The client counts its own rows, those left out too.
      for (const error of inserted.insertErrors ?? []) error.index = fresh[Number(error.index)] ?? error.index;
      reply(response, inserted.insertErrors?.length ? { ...answer, body: serialise(inserted) } : answer);
      return answer.status < 300 && !inserted.insertErrors?.length;
    });
  }

  async #delete({ request, response, body, at: [, path = ''] }: Exchange): Promise<void> {
    const answer = await this.#forwarder.send(request, body);
    if (answer.status < 300) this.#insertIds.forget(path);
    reply(response, answer);
  }

  /** A dataset whose name begins with an underscore is hidden, as on Google. */
  async #datasets({ request, response, body }: Exchange): Promise<void> {
    const answer = await this.#forwarder.send(request, body);
    if (answer.status >= 300 || /[?&]all=true/.test(request.url ?? '')) return reply(response, answer);
    const list = parse<{ datasets?: { datasetReference?: { datasetId?: string } }[] }>(answer.body);
    const datasets = list.datasets?.filter(({ datasetReference }) => !datasetReference?.datasetId?.startsWith('_'));
    reply(response, { ...answer, body: serialise({ ...list, ...(datasets ? { datasets } : {}) }) });
  }

  async #table({ request, response, body }: Exchange): Promise<void> {
    const { view, materializedView } = parse<TableBody>(body);
    for (const query of [view?.query, materializedView?.query]) if (query) this.#statements.refuseView(query);
    reply(response, await this.#forwarder.send(request, body));
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else if (error instanceof ApiError) replyJson(response, error.status, error.body);
  else replyJson(response, 500, new ApiError(500, 'backendError', (error as Error).message).body);
}

/** Starts the front on the loopback interface. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const front = new FrontServer(options);
  const server = createServer((request, response) => {
    front.handle(request, response).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://127.0.0.1:${port}`, port },
    emulatorRestarted: () => front.loseJobs(),
    stop: () => closeServer(server),
  };
}
