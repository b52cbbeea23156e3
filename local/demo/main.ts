import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEMO_TOOLS, ensureTools } from '../../scripts/tools.ts';
import { startUsgs } from '../usgs/server.ts';
import { demoFeed } from './feed.ts';
import { runLine } from './line.ts';
import type { Line, LineResult } from './line.ts';
import { HELP, readOptions } from './options.ts';
import type { DemoOptions } from './options.ts';
import { Printer } from './print.ts';
import { countLineage, exportAll, layers, printReport } from './report.ts';
import type { Report } from './report.ts';
import { startDemo } from './running.ts';
import type { Running } from './running.ts';
import { Stages } from './stages.ts';

async function toReport({ running, feed, stages }: Line, { ingested, streamed }: LineResult): Promise<Report> {
  const { objects, ...found } = await layers(running.resources, [running.contract, ...running.others]);
  return {
    feed: feed.title,
    ...(streamed ? { streamed } : {}),
    bronze: { objects, alreadyLanded: ingested.alreadyLanded },
    ...found,
    lineage: { events: await countLineage(running.cloud.env.CUPEL_OPENLINEAGE_FILE ?? '') },
    stages: Object.fromEntries(Object.entries(stages.seconds).map(([name, seconds]) => [name, { seconds }])),
    urls: running.cloud.urls,
  };
}

async function writeReport(file: string, report: Report): Promise<void> {
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** Everything but the start and the end of the servers. */
async function runDemo(line: Line, options: DemoOptions): Promise<void> {
  const { running, print } = line;
  const report = await toReport(line, await runLine(line));
  if (options.export)
    await exportAll(running.resources, [running.contract, ...running.others], path.resolve(options.export));
  if (options.report) await writeReport(options.report, report);
  printReport(print, report);
}

async function demo(options: DemoOptions): Promise<void> {
  const print = new Printer();
  const stages = new Stages(print);
  await ensureTools(DEMO_TOOLS, (line) => print.line(line));
  const setUp = print.seconds;
  const feed = await demoFeed(options);
  print.line(`Feed: ${feed.title}`);
  const state = path.resolve(options.state ?? (await mkdtemp(path.join(tmpdir(), 'cupel-demo-'))));
  const usgs = feed.polls ? await startUsgs({ polls: feed.polls }) : undefined;
  let running: Running | undefined;
  let done = false;
  const interrupted = (): void => {
    print.line('interrupted: stopping every server');
    void Promise.resolve(running?.cloud.stop())
      .then(() => (options.state ? undefined : rm(state, { recursive: true, force: true, maxRetries: 20 })))
      .finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    running = await startDemo(state, feed, usgs, options.stream);
    stages.ended('startup', print.seconds - setUp, `Temporal Web UI ${running.cloud.urls.temporal}`);
    await runDemo({ running, feed, usgs, print, stages, streamed: options.stream }, options);
    done = true;
  } finally {
    await usgs?.stop();
    if (running && done && options.keep) running.cloud.keep();
    else await running?.cloud.stop();
    if (!options.state && !(done && options.keep)) await rm(state, { recursive: true, force: true, maxRetries: 20 });
  }
  if (options.keep) {
    print.line('');
    for (const [name, url] of Object.entries(running.cloud.urls)) print.line(`${name.padEnd(12)} ${url}`);
    print.line(`All of it runs on; end it with: npx cupel local down --state ${state}`);
  }
  print.line(`Done in ${print.seconds.toFixed(1)} s.`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await demo(options);
  else process.stdout.write(HELP);
  // gRPC channels of clients may hold the loop open; what was printed must have left first.
  process.stdout.write('', () => process.exit(0));
} catch (error) {
  process.stderr.write(`demo: ${(error as Error).message}\n`);
  for (let cause = (error as Error).cause; cause instanceof Error; cause = cause.cause)
    process.stderr.write(`  because: ${cause.message}\n`);
  process.exit(1);
}
