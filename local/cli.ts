import path from 'node:path';
import { Command } from 'commander';
import { DEMO_TOOLS, ensureTools, PROJECT } from '../scripts/tools.ts';
import { launchCloud, runningCloud, stopCloud } from './launch.ts';
import type { CloudFile } from './cloud-file.ts';
import { notedServers } from './servers-file.ts';
import type { NotedServer } from './servers-file.ts';

const STATE = path.join(PROJECT, '.cupel');

interface Options {
  state: string;
  json?: boolean;
  uiPort?: string;
  temporalPort?: string;
}

function print(options: Options, value: unknown, lines: string[]): void {
  process.stdout.write(options.json ? `${JSON.stringify(value)}\n` : lines.map((line) => `${line}\n`).join(''));
}

const urlLines = ({ urls }: Pick<CloudFile, 'urls'>): string[] =>
  Object.entries(urls).map(([name, url]) => `${name.padEnd(12)} ${url}`);

/** Servers that died and run again: the first thing to know when something is odd. */
const restartLines = (servers: Record<string, NotedServer>): string[] =>
  Object.entries(servers)
    .filter(([, { restarts }]) => restarts > 0)
    .map(([name, { pid, restarts }]) => `${name}: died and was started again ${restarts} times, now process ${pid}`);

async function up(options: Options): Promise<void> {
  await ensureTools(DEMO_TOOLS);
  const state = path.resolve(options.state);
  const running = await runningCloud(state);
  if (running) return print(options, running.urls, [`up already (process ${running.pid})`, ...urlLines(running)]);
  const pinned = [
    ...(options.temporalPort ? ['--temporal-port', options.temporalPort] : []),
    ...(options.uiPort ? ['--ui-port', options.uiPort] : []),
  ];
  const cloud = await launchCloud(state, pinned);
  cloud.keep();
  print(options, cloud.urls, [
    ...urlLines(cloud),
    '',
    'Next: eval "$(npx cupel local env)"; end it with: npx cupel local down',
  ]);
}

async function status(options: Options): Promise<void> {
  const state = path.resolve(options.state);
  const running = await runningCloud(state);
  if (!running) process.exitCode = 1;
  const servers = notedServers(state);
  print(
    options,
    running ? { up: true, ...running, servers } : { up: false },
    running ? [`up (process ${running.pid})`, ...urlLines(running), ...restartLines(servers)] : ['down'],
  );
}

async function down(options: Options): Promise<void> {
  const running = await runningCloud(path.resolve(options.state));
  if (running) await stopCloud(running);
  print(options, { up: false }, [running ? 'down' : 'was not up']);
}

async function env(options: Options): Promise<void> {
  const running = await runningCloud(path.resolve(options.state));
  if (!running) throw new Error(`no cloud runs on ${options.state}: cupel local up`);
  const quote = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;
  print(
    options,
    running.env,
    Object.entries(running.env).map(([name, value]) => `export ${name}=${quote(value)}`),
  );
}

const program = new Command('cupel local').description(
  'The laptop-size cloud: every service on the loopback interface',
);
const verbs: [string, string, (options: Options) => Promise<void>][] = [
  ['up', 'start it; it runs on until it is taken down', up],
  ['status', 'say whether it is up, and where; exit code 1 when it is down', status],
  ['down', 'stop it; its data stays', down],
  ['env', 'print the variables that make every command use it, for eval', env],
];
for (const [name, description, action] of verbs) {
  const command = program
    .command(name)
    .description(description)
    .option('--state <dir>', 'where its data is', STATE)
    .option('--json', 'answer with JSON');
  if (name === 'up')
    command
      .option('--ui-port <port>', "port of Temporal's Web UI; default: a free one")
      .option('--temporal-port <port>', 'port of Temporal; default: a free one');
  command.action((options: Options) => action(options));
}
program.addHelpText(
  'after',
  '\nExamples:\n  $ cupel local up --ui-port 8233\n  $ eval "$(cupel local env)"\n  $ cupel local down',
);

try {
  await program.parseAsync();
  process.stdout.write('', () => process.exit()); // what was written must have left first
} catch (error) {
  process.stderr.write(`cupel local: ${(error as Error).message}\n`);
  process.exit(1);
}
