import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { v1 } from '@google-cloud/dataform';
import type { protos } from '@google-cloud/dataform';
import { googleAuthLibrary, grpc } from 'google-gax';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startDataform } from '../../local/dataform/server.ts';
import type { DataformServer } from '../../local/dataform/server.ts';

type Action = protos.google.cloud.dataform.v1.IWorkflowInvocationAction;
type CompilationConfig = protos.google.cloud.dataform.v1.ICodeCompilationConfig;
type InvocationConfig = protos.google.cloud.dataform.v1.IInvocationConfig;

const PARENT = 'projects/cupel-test/locations/us-central1/repositories/cupel';

/** A project of one source, three tables in a row, an assertion and something that is disabled. */
const PROJECT: Record<string, string> = {
  'workflow_settings.yaml': `defaultProject: cupel-test
defaultLocation: us-central1
defaultDataset: gold
defaultAssertionDataset: checks
dataformCoreVersion: 3.0.62
vars: { kept: 'from the file', given: 'from the file' }
`,
  'definitions/raw.js': `declare({ schema: 'raw', name: 'events' });`,
  'definitions/first.sqlx': `config { type: "incremental", uniqueKey: ["id"], tags: ["daily"], bigquery: { partitionBy: "DATE(at)", clusterBy: ["id"] } }
SELECT id, at, '\${dataform.projectConfig.vars.given}' AS given, '\${dataform.projectConfig.vars.kept}' AS kept FROM \${ref("raw", "events")}`,
  'definitions/second.sqlx': `config { type: "table", tags: ["daily"], assertions: { nonNull: ["id"] } }
SELECT id FROM \${ref("gold", "first")}`,
  'definitions/third.sqlx': `config { type: "view", tags: ["weekly"], dependOnDependencyAssertions: true }
SELECT id FROM \${ref("gold", "second")}`,
  'definitions/off.sqlx': `config { type: "table", disabled: true, tags: ["daily"] }
SELECT 1 AS one`,
};

interface Query {
  id: string;
  sql: string;
  labels: Record<string, string>;
  state: 'RUNNING' | 'DONE';
  error?: { reason: string; message: string };
}

/** What becomes of a query: its error, its only number, or nothing until it is cancelled. */
let outcome: (sql: string) => { error?: string; value?: number; hangs?: boolean };
let queries: Query[] = [];

/** The little of BigQuery's REST that Dataform uses: no tables, and queries whose outcome the test says. */
async function serveBigQuery(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = (status: number, body: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const { pathname } = new URL(request.url ?? '', 'http://localhost');
  const [, kind, id, verb] =
    /^\/bigquery\/v2\/projects\/cupel-test\/(jobs|queries)\/?([^/]*)\/?(\w*)$/.exec(pathname) ?? [];
  const known = queries.find((query) => query.id === id);
  const errors = known?.error ? { errors: [known.error], errorResult: known.error } : {};
  const resource = (query: Query): object => ({
    jobReference: { projectId: 'cupel-test', jobId: query.id, location: 'us-central1' },
    status: { state: query.state, ...errors },
    statistics: { query: {} },
    configuration: { query: { query: query.sql } },
  });
  if (kind === 'jobs' && request.method === 'POST' && verb === 'cancel' && known) {
    Object.assign(known, { state: 'DONE', error: { reason: 'stopped', message: 'Job execution was cancelled' } });
    return answer(200, { job: resource(known) });
  }
  if (kind === 'jobs' && request.method === 'POST') return answer(200, resource(await insert(request)));
  if (!known) return answer(404, { error: { code: 404, message: 'Not found', errors: [{ reason: 'notFound' }] } });
  if (kind === 'jobs') return answer(200, resource(known));
  if (known.error) return answer(400, { error: { code: 400, message: known.error.message, errors: [known.error] } });
  const { value } = outcome(known.sql);
  const jobReference = { projectId: 'cupel-test', jobId: known.id, location: 'us-central1' };
  if (known.state === 'RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return answer(200, { jobComplete: false, jobReference });
  }
  const schema = { fields: [{ name: 'row_count', type: 'INTEGER', mode: 'NULLABLE' }] };
  const cell = { v: value === undefined ? null : String(value) };
  return answer(200, { jobComplete: true, jobReference, schema, rows: [{ f: [cell] }], totalRows: '1' });
}

interface Inserted {
  jobReference: { jobId: string };
  configuration: { query: { query: string }; labels?: Record<string, string> };
}

async function insert(request: IncomingMessage): Promise<Query> {
  const { jobReference, configuration } = (await json(request)) as Inserted;
  const sql = configuration.query.query;
  const { error, hangs } = outcome(sql);
  const query: Query = {
    id: jobReference.jobId,
    sql,
    labels: configuration.labels ?? {},
    state: hangs ? 'RUNNING' : 'DONE',
  };
  if (error) query.error = { reason: 'invalidQuery', message: error };
  queries.push(query);
  return query;
}

let directory: string;
let bigquery: Server;
let server: DataformServer;
let client: v1.DataformClient;

async function writeProject(files: Record<string, string>): Promise<string> {
  // A path with node_modules in it, as where the project is installed as a package.
  const project = await mkdtemp(path.join(directory, 'node_modules', 'project-'));
  await mkdir(path.join(project, 'definitions'));
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(project, file), text);
  return project;
}

async function start(files: Record<string, string>, work = 'work'): Promise<DataformServer> {
  return startDataform({
    projectDirectory: await writeProject(files),
    workDirectory: path.join(directory, work),
    projectId: 'cupel-test',
    location: 'us-central1',
    bigqueryUrl: `http://127.0.0.1:${(bigquery.address() as AddressInfo).port}`,
  });
}

function connect({ port }: DataformServer): v1.DataformClient {
  return new v1.DataformClient({
    projectId: 'cupel-test',
    apiEndpoint: '127.0.0.1',
    port,
    sslCreds: grpc.credentials.createInsecure(),
    authClient: new googleAuthLibrary.PassThroughClient(),
  });
}

async function compile(codeCompilationConfig: CompilationConfig = {}, using = client) {
  const request = { parent: PARENT, compilationResult: { gitCommitish: 'main', codeCompilationConfig } };
  const [result] = await using.createCompilationResult(request, { timeout: 60_000 });
  return result;
}

let compiled: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-dataform-'));
  await mkdir(path.join(directory, 'node_modules'));
  bigquery = createServer((request, response) => void serveBigQuery(request, response));
  await new Promise<void>((resolve) => bigquery.listen(0, '127.0.0.1', resolve));
  server = await start(PROJECT);
  client = connect(server);
  compiled = (await compile()).name ?? '';
});
afterAll(async () => {
  await client.close();
  await server.stop();
  bigquery.closeAllConnections();
  bigquery.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
});
beforeEach(() => {
  queries = [];
  outcome = () => ({});
});

async function invoke(invocationConfig: InvocationConfig = {}): Promise<string> {
  const workflowInvocation = { compilationResult: compiled, invocationConfig };
  const [invocation] = await client.createWorkflowInvocation({ parent: PARENT, workflowInvocation });
  expect(invocation).toMatchObject({ state: 'RUNNING', resolvedCompilationResult: compiled });
  return invocation.name ?? '';
}

async function until(name: string, state: string): Promise<void> {
  const look = async (): Promise<unknown> => (await client.getWorkflowInvocation({ name }))[0].state;
  await expect.poll(look, { timeout: 30_000, interval: 50 }).toBe(state);
}

async function actionsOf(name: string): Promise<Map<string, Action>> {
  const actions = new Map<string, Action>();
  for await (const action of client.queryWorkflowInvocationActionsAsync({ name }))
    actions.set(`${action.target?.schema}.${action.target?.name}`, action);
  return actions;
}

async function statesOf(name: string): Promise<Record<string, unknown>> {
  return Object.fromEntries([...(await actionsOf(name))].map(([target, { state }]) => [target, state]));
}

const CHECK = 'checks.gold_second_assertions_rowConditions';

test('a compilation is a snapshot with its variables and settings; its actions are listed', async () => {
  const given = "1,5 = 'one' # : { }";
  const result = await compile({ vars: { given }, defaultDatabase: 'other', schemaSuffix: 'dev', tablePrefix: 'x' });
  expect(result).toMatchObject({ compilationErrors: [], dataformCoreVersion: '3.0.62' });
  expect(result.resolvedGitCommitSha).toMatch(/^[0-9a-f]{40}$/);
  const [read] = await client.getCompilationResult({ name: result.name });
  expect(read).toEqual(result);
  const [actions] = await client.queryCompilationResultActions({ name: result.name });
  const first = actions.find(({ filePath }) => filePath === 'definitions/first.sqlx');
  expect(first?.target).toMatchObject({ database: 'other', schema: 'gold_dev', name: 'x_first' });
  expect(first?.relation).toMatchObject({
    relationType: 'INCREMENTAL_TABLE',
    tags: ['daily'],
    partitionExpression: 'DATE(at)',
    clusterExpressions: ['id'],
    incrementalTableConfig: { uniqueKeyParts: ['id'] },
    dependencyTargets: [{ database: 'other', name: 'events' }],
  });
  expect(first?.relation?.selectQuery).toContain(`'${given}' AS given, 'from the file' AS kept`);
  expect(actions.filter(({ declaration }) => declaration)).toHaveLength(1);
  expect(actions.filter(({ assertion }) => assertion)).toHaveLength(1);
  const again = await compile();
  expect(again.resolvedGitCommitSha).toBe(result.resolvedGitCommitSha);
  await expect(client.getCompilationResult({ name: `${PARENT}/compilationResults/none` })).rejects.toMatchObject({
    code: grpc.status.NOT_FOUND,
  });
});

test('errors of a compilation are part of its result, and it cannot be run', async () => {
  const broken = await start({ ...PROJECT, 'definitions/wrong.sqlx': 'SELECT * FROM ${ref("nowhere")}' });
  const other = connect(broken);
  try {
    const { name, compilationErrors } = await compile({}, other);
    expect(compilationErrors).toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining('"nowhere"') as string,
        path: 'definitions/wrong.sqlx',
        actionTarget: { database: 'cupel-test', schema: 'gold', name: 'wrong' },
      }),
    );
    const workflowInvocation = { compilationResult: name };
    await expect(other.createWorkflowInvocation({ parent: PARENT, workflowInvocation })).rejects.toMatchObject({
      code: grpc.status.FAILED_PRECONDITION,
    });
  } finally {
    await other.close();
    await broken.stop();
  }
});

test('an invocation runs its actions in the order of the graph, with the SQL of the real CLI', async () => {
  const name = await invoke();
  await until(name, 'SUCCEEDED');
  const actions = await actionsOf(name);
  expect(Object.fromEntries([...actions].map(([target, { state }]) => [target, state]))).toEqual({
    'gold.first': 'SUCCEEDED',
    'gold.second': 'SUCCEEDED',
    'gold.third': 'SUCCEEDED',
    'gold.off': 'DISABLED',
    [CHECK]: 'SUCCEEDED',
  });
  const sql = queries.map((query) => query.sql.toLowerCase());
  const at = (text: string): number => sql.findIndex((query) => query.includes(text));
  const order = [
    'schema if not exists',
    'table `cupel-test.gold.first`',
    'table `cupel-test.gold.second`',
    'row_count',
    'view `cupel-test.gold.third`',
  ];
  const places = order.map(at);
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(sql[places[1] ?? 0]).toContain('partition by date(at)');
  expect(at('gold.off')).toBe(-1);
  const first = queries[places[1] ?? 0];
  expect(actions.get('gold.first')).toMatchObject({ bigqueryAction: { jobId: first?.id, sqlScript: first?.sql } });
  expect(first?.labels).toEqual({ dataform_invocation: name.split('/').pop(), dataform_action: 'gold_first' });
  const [invocation] = await client.getWorkflowInvocation({ name });
  expect(invocation.invocationTiming?.endTime).toBeTruthy();
});

test('tags and targets choose the actions', async () => {
  const weekly = await invoke({ includedTags: ['weekly'] });
  const upTo = await invoke({
    includedTargets: [{ database: 'cupel-test', schema: 'gold', name: 'second' }],
    transitiveDependenciesIncluded: true,
  });
  await Promise.all([until(weekly, 'SUCCEEDED'), until(upTo, 'SUCCEEDED')]);
  expect(Object.keys(await statesOf(weekly))).toEqual(['gold.third']);
  expect(Object.keys(await statesOf(upTo)).toSorted()).toEqual(['gold.first', 'gold.second']);
  const ids: string[] = [];
  for await (const { name } of client.listWorkflowInvocationsAsync({ parent: PARENT, orderBy: 'name desc' }))
    ids.push(name ?? '');
  expect(ids.slice(0, 2)).toEqual([upTo, weekly]);
});

test('an assertion with rows fails, and so does the invocation; what needs it is skipped', async () => {
  outcome = (sql) => (sql.includes('row_count') ? { value: 3 } : {});
  const name = await invoke();
  await until(name, 'FAILED');
  const actions = await actionsOf(name);
  expect(actions.get(CHECK)).toMatchObject({
    state: 'FAILED',
    failureReason: 'Assertion failed, expected zero rows, got 3',
    bigqueryAction: { jobId: queries.find(({ sql }) => sql.includes('row_count'))?.id },
  });
  expect(actions.get('gold.second')?.state).toBe('SUCCEEDED');
  expect(actions.get('gold.third')?.state).toBe('SKIPPED');
});

test('an action that BigQuery refuses fails with its words', async () => {
  outcome = (sql) => (/table `cupel-test.gold.first`/i.test(sql) ? { error: 'Unrecognized name: at' } : {});
  const name = await invoke();
  await until(name, 'FAILED');
  const actions = await actionsOf(name);
  expect(actions.get('gold.first')).toMatchObject({ state: 'FAILED' });
  expect(actions.get('gold.first')?.failureReason).toContain('Unrecognized name: at');
  for (const target of ['gold.second', 'gold.third', CHECK]) expect(actions.get(target)?.state).toBe('SKIPPED');
});

test('cancelling ends the query that runs', async () => {
  outcome = (sql) => ({ hangs: /table `cupel-test.gold.first`/i.test(sql) });
  const name = await invoke();
  await expect.poll(() => queries.some(({ state }) => state === 'RUNNING'), { timeout: 30_000 }).toBe(true);
  await client.cancelWorkflowInvocation({ name });
  await until(name, 'CANCELLED');
  expect(queries.find(({ error }) => error)?.error?.reason).toBe('stopped');
  expect(await statesOf(name)).toMatchObject({ 'gold.first': 'CANCELLED', 'gold.second': 'CANCELLED' });
});

test('cancelling ends the planning', async () => {
  const name = await invoke();
  await client.cancelWorkflowInvocation({ name });
  await until(name, 'CANCELLED');
  expect(queries).toEqual([]);
  await client.cancelWorkflowInvocation({ name });
  expect((await client.getWorkflowInvocation({ name }))[0].state).toBe('CANCELLED');
  await expect(client.cancelWorkflowInvocation({ name: `${name}x` })).rejects.toMatchObject({
    code: grpc.status.NOT_FOUND,
  });
});

test('a fault after the creation of an invocation leaves one whose answer is lost', async () => {
  const count = async (): Promise<number> => (await client.listWorkflowInvocations({ parent: PARENT }))[0].length;
  const before = await count();
  server.faults.failNext('createWorkflowInvocation', 'before', grpc.status.UNAVAILABLE);
  await expect(invoke()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect(await count()).toBe(before);
  server.faults.failNext('createWorkflowInvocation', 'after', grpc.status.UNAVAILABLE);
  await expect(invoke()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect(await count()).toBe(before + 1);
});

test('stopping the server ends a compilation that runs', async () => {
  const other = await start(PROJECT);
  const using = connect(other);
  const snapshots = async (): Promise<number> => (await readdir(path.join(directory, 'work'))).length;
  const before = await snapshots();
  const compiling = compile({}, using).catch((error: unknown) => error);
  await expect.poll(snapshots, { interval: 10 }).toBe(before + 1);
  const started = Date.now();
  await other.stop();
  expect(Date.now() - started).toBeLessThan(1_000);
  expect(await compiling).toMatchObject({ code: expect.any(Number) as number });
  await using.close();
});

test('what ran when the service died goes on after its restart, from where it was; what had ended stays so', async () => {
  const invokeAt = async (using: v1.DataformClient, compilationResult: string): Promise<string> => {
    const workflowInvocation = { compilationResult, invocationConfig: { includedTags: ['daily'] } };
    const [invocation] = await using.createWorkflowInvocation({ parent: PARENT, workflowInvocation });
    return invocation.name ?? '';
  };
  const stateAt = async (using: v1.DataformClient, name: string): Promise<unknown> =>
    (await using.getWorkflowInvocation({ name }))[0].state;
  const first = await start(PROJECT, 'restarted');
  const before = connect(first);
  const compilation = (await compile({}, before)).name ?? '';
  const ended = await invokeAt(before, compilation);
  await expect.poll(() => stateAt(before, ended), { timeout: 30_000, interval: 50 }).toBe('SUCCEEDED');
  outcome = (sql) => ({ hangs: sql.includes('second') });
  const running = await invokeAt(before, compilation);
  const hangs = (): number => queries.filter((query) => query.state === 'RUNNING').length;
  await expect.poll(hangs, { timeout: 30_000, interval: 50 }).toBe(1);
  const stopped = await invokeAt(before, compilation);
  await expect.poll(hangs, { timeout: 30_000, interval: 50 }).toBe(2);
  await before.cancelWorkflowInvocation({ name: stopped });
  const [seen] = await before.getWorkflowInvocation({ name: ended });
  await before.close();
  await first.stop();

  outcome = () => ({});
  queries = [];
  const second = await start(PROJECT, 'restarted');
  const after = connect(second);
  try {
    expect((await after.getCompilationResult({ name: compilation }))[0].name).toBe(compilation);
    expect((await after.getWorkflowInvocation({ name: ended }))[0]).toEqual(seen);
    await expect.poll(() => stateAt(after, running), { timeout: 30_000, interval: 50 }).toBe('SUCCEEDED');
    expect(await stateAt(after, stopped)).toBe('CANCELLED');
    // The first table had succeeded before: it is not made again.
    expect(queries.some(({ sql }) => /`cupel-test\.gold\.first`[^]*raw/.test(sql))).toBe(false);
    const [listed] = await after.listWorkflowInvocations({ parent: PARENT, orderBy: 'name asc' });
    expect(listed.map(({ name }) => name)).toEqual([ended, running, stopped]);
  } finally {
    await after.close();
    await second.stop();
  }
});
