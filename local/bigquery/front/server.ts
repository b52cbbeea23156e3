import { Agent, createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { closeServer } from '../../metadata/server.ts';
import { ApiError } from './emulator.ts';
import { InsertIds } from './insert-ids.ts';
import type { InsertAll } from './insert-ids.ts';
import { intoDestination } from './statements.ts';
import type { Statements, TableReference } from './statements.ts';

interface QueryConfiguration {
  query?: string;
  destinationTable?: TableReference;
  writeDisposition?: string;
}

interface JobBody {
  jobReference?: { jobId?: string; location?: string; projectId?: string };
  configuration?: { query?: QueryConfiguration; dryRun?: boolean };
}

/** A running front. */
export interface Front {
  url: string;
  stop(): Promise<void>;
}

const JOBS = /\/projects\/([^/]+)\/jobs$/;
const QUERIES = /\/projects\/[^/]+\/queries$/;
const INSERT_ALL = /\/(datasets\/[^/]+\/tables\/[^/]+)\/insertAll$/;

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

/** Adds to the emulator what its clients need to be able to rely on, and passes on everything else. */
class FrontServer {
  readonly #emulatorUrl: URL;
  readonly #statements: Statements;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #jobs = new Set<string>();
  readonly #insertIds = new InsertIds();

  constructor(emulatorUrl: string, statements: Statements) {
    this.#emulatorUrl = new URL(emulatorUrl);
    this.#statements = statements;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const body = await readBody(request);
    const project = request.method === 'POST' ? JOBS.exec(path)?.[1] : undefined;
    const insertInto = request.method === 'POST' ? INSERT_ALL.exec(path)?.[1] : undefined;
    if (project) await this.#job(request, response, JSON.parse(body.toString('utf8')) as JobBody, project);
    else if (request.method === 'POST' && QUERIES.test(path))
      await this.#query(request, response, JSON.parse(body.toString('utf8')) as QueryConfiguration);
    else if (insertInto)
      await this.#insert(request, response, JSON.parse(body.toString('utf8')) as InsertAll, insertInto);
    else await this.#pass(request, response, body);
  }

  async #job(request: IncomingMessage, response: ServerResponse, job: JobBody, project: string): Promise<void> {
    const { jobId, location } = job.jobReference ?? {};
    const dryRun = job.configuration?.dryRun === true;
    if (jobId && this.#jobs.has(jobId))
      throw new ApiError(409, 'duplicate', `Already Exists: Job ${project}:${location ?? 'US'}.${jobId}`);
    if (jobId && !dryRun) this.#jobs.add(jobId);
    try {
      const query = job.configuration?.query;
      if (query?.query) {
        const sql = await this.#statements.rewrite(query.query);
        query.query = dryRun ? sql : intoDestination(sql, query.destinationTable, query.writeDisposition);
      }
      const status = await this.#pass(request, response, Buffer.from(JSON.stringify(job)));
      if (jobId && status >= 500) this.#jobs.delete(jobId); // it was never made, so it may be tried again
    } catch (error) {
      if (jobId) this.#jobs.delete(jobId);
      throw error;
    }
  }

  async #query(request: IncomingMessage, response: ServerResponse, body: QueryConfiguration): Promise<void> {
    const query = await this.#statements.rewrite(body.query ?? '');
    await this.#pass(request, response, Buffer.from(JSON.stringify({ ...body, query })));
  }

  async #insert(request: IncomingMessage, response: ServerResponse, body: InsertAll, table: string): Promise<void> {
    const fresh = this.#insertIds.fresh(table, body);
    if (!fresh.rows?.length) {
      sendJson(response, 200, { kind: 'bigquery#tableDataInsertAllResponse' });
      return;
    }
    const status = await this.#pass(request, response, Buffer.from(JSON.stringify(fresh)));
    if (status < 300) this.#insertIds.remember(table, fresh);
  }

  /** Sends a request on; resolves with the status once the answer is through. */
  #pass(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<number> {
    const { 'content-encoding': _, 'transfer-encoding': __, ...headers } = request.headers;
    const { hostname, port } = this.#emulatorUrl;
    const options = { hostname, port, method: request.method, path: request.url, agent: this.#agent };
    return new Promise((resolve, reject) => {
      const onward = httpRequest(
        { ...options, headers: { ...headers, host: `${hostname}:${port}`, 'content-length': String(body.length) } },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
          answer.once('end', () => resolve(answer.statusCode ?? 502));
          answer.once('error', reject);
        },
      );
      onward.once('error', reject);
      onward.end(body);
    });
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else if (error instanceof ApiError) sendJson(response, error.status, error.body);
  else sendJson(response, 500, new ApiError(500, 'backendError', (error as Error).message).body);
}

/** Starts the front on the loopback interface. */
export async function startFront(options: {
  emulatorUrl: string;
  statements: Statements;
  port?: number;
}): Promise<Front> {
  const front = new FrontServer(options.emulatorUrl, options.statements);
  const server = createServer((request, response) => {
    front.handle(request, response).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => closeServer(server) };
}
