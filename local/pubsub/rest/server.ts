import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import grpc from '@grpc/grpc-js';
import { GrpcError } from '../../grpc.ts';
import { closeServer } from '../../metadata/server.ts';
import { invalid } from '../validate.ts';
import { Protos } from './descriptor.ts';
import { errorAnswer } from './errors.ts';
import { ProtoJson } from './proto-json.ts';
import { Routes } from './routes.ts';
import type { Match } from './routes.ts';

/** Handlers of the gRPC services, by service and method. */
export type Services = Record<string, grpc.UntypedServiceImplementation>;

/** A running REST server. */
export interface RestServer {
  /** `http://127.0.0.1:PORT`, what Java's client calls its root URL. */
  url: string;
  stop(): Promise<void>;
}

/** Parameters of a query that are the protocol's and no field of a request. */
const SYSTEM = /^(alt|prettyPrint|key|quotaUser|fields|callback|access_token|oauth_token|upload\w*|\$\..*)$/;

const unzip = promisify(gunzip);

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const sent = await buffer(request);
  if (!sent.length) return {};
  try {
    // Java's client compresses what it sends.
    const bytes = request.headers['content-encoding'] === 'gzip' ? await unzip(sent) : sent;
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('Invalid JSON payload received.');
  }
}

/** Puts a value at a dotted path. */
function put(into: Record<string, unknown>, path: string, value: unknown): void {
  const [head = '', ...rest] = path.split('.');
  if (!rest.length) into[head] = value;
  else put((into[head] ??= {}) as Record<string, unknown>, rest.join('.'), value);
}

/** The request in JSON: the body, then what the query says, then what the path does. */
async function requestJson(request: IncomingMessage, url: URL, { body, variables }: Match): Promise<object> {
  const sent = await bodyOf(request);
  if (body === undefined && Object.keys(sent as object).length) throw invalid('This method takes no body.');
  const json = (body === '*' ? sent : body ? { [body]: sent } : {}) as Record<string, unknown>;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('The body is no JSON object.');
  for (const [name, value] of url.searchParams) if (!SYSTEM.test(name)) put(json, name, value);
  for (const [name, value] of Object.entries(variables)) put(json, name, value);
  return json;
}

/** Calls a handler as the gRPC server would. */
function call(services: Services, { service, handler }: Match, request: object): Promise<object> {
  const unary = services[service]?.[handler] as grpc.handleUnaryCall<object, object>;
  return new Promise((resolve, reject) => {
    unary({ request } as grpc.ServerUnaryCall<object, object>, (error, value) => {
      if (!error) return resolve(value ?? {});
      reject(error instanceof Error ? error : new GrpcError(error.code ?? grpc.status.UNKNOWN, error.details ?? ''));
    });
  });
}

function reply(response: ServerResponse, url: URL, status: number, body: object): void {
  const pretty = url.searchParams.get('prettyPrint') !== 'false';
  const text = pretty ? `${JSON.stringify(body, undefined, 2)}\n` : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(text);
}

/** Serves Pub/Sub's REST API v1 on the loopback interface: the same services as gRPC does, by the addresses in their protos. */
export async function startRest(services: Services, port = 0): Promise<RestServer> {
  const protos = new Protos();
  const json = new ProtoJson(protos);
  const routes = new Routes(protos, Object.keys(services));

  async function answer(request: IncomingMessage, url: URL): Promise<object> {
    const match = routes.find(request.method ?? 'GET', url.pathname);
    if (!match) throw new GrpcError(grpc.status.NOT_FOUND, 'Method not found.');
    const message = json.read(match.request, await requestJson(request, url, match));
    return json.write(match.response, (await call(services, match, message)) as Record<string, unknown>);
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://pubsub');
    answer(request, url).then(
      (body) => reply(response, url, 200, body),
      (error: unknown) => {
        const { status, body } = errorAnswer(error);
        reply(response, url, status, body);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => closeServer(server) };
}
