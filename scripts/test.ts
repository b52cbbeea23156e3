// Runs the tests by kind. `node scripts/test.ts [kind …]`; without a kind, all that are not opt-in.
// The last line printed is `N passed, N failed` over all kinds; what was skipped is named above it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureTools, PROJECT, SPARK_TOOLS } from './tools.ts';
import type { ToolName } from './tools.ts';

interface Kind {
  name: string;
  /** Seconds that the kind may take on 2 warm cores: printed beside what it took. */
  budget: number;
  tools: ToolName[];
  /** Test files at once: servers and DuckDB share two cores. */
  workers: number;
  /** Whether the kind runs only when it is named. */
  optIn?: boolean;
}

const SERVERS: ToolName[] = ['temporal', 'fakeGcs', 'bigqueryPython', 'catalogJars'];
const KINDS: Kind[] = [
  { name: 'unit', budget: 90, tools: [], workers: 2 },
  { name: 'workflow', budget: 240, tools: ['temporal', 'testServer'], workers: 2 },
  { name: 'integration', budget: 240, tools: [...SERVERS, 'pyicebergPython'], workers: 2 },
  { name: 'system', budget: 420, tools: [...SERVERS, 'pyicebergPython'], workers: 1 },
  { name: 'soak', budget: 1200, tools: SERVERS, workers: 1, optIn: true },
  {
    name: 'spark',
    budget: 120,
    tools: ['fakeGcs', 'catalogJars', 'pyicebergPython', ...SPARK_TOOLS],
    workers: 1,
    optIn: true,
  },
  { name: 'prism', budget: 360, tools: ['fakeGcs', 'catalogJars', 'prism', 'expansionJars'], workers: 1, optIn: true },
  { name: 'flink', budget: 240, tools: ['fakeGcs', 'catalogJars', 'flinkJars'], workers: 1, optIn: true },
  {
    name: 'dataflow',
    budget: 120,
    tools: ['fakeGcs', 'catalogJars', 'prism', 'beamBoot', 'dataflowPython'],
    workers: 1,
    optIn: true,
  },
];

interface Outcome {
  passed: number;
  failed: number;
  skipped: string[];
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

function readReport(file: string): Outcome {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: [] };
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const tests = report.testResults.flatMap((suite) => suite.assertionResults);
  // A file that does not load has no tests to fail: it counts as one.
  const broken = report.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some((t) => t.status === 'failed'),
  );
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: tests.filter((test) => test.status === 'failed').length + broken.length,
    skipped: tests.filter((test) => ['skipped', 'pending', 'todo'].includes(test.status)).map((test) => test.fullName),
  };
}

function runVitest(kind: Kind, report: string): Promise<number> {
  const vitest = path.join(PROJECT, 'node_modules/vitest/vitest.mjs');
  const args = [
    vitest,
    'run',
    '--dir',
    `test/${kind.name}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  args.push(`--maxWorkers=${kind.workers}`);
  const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ['ignore', 'inherit', 'inherit'] });
  const stop = () => child.kill('SIGTERM');
  process.once('SIGTERM', stop);
  return new Promise((resolve) =>
    child.on('exit', (code) => {
      process.off('SIGTERM', stop);
      resolve(code ?? 1);
    }),
  );
}

function hasTests(kind: Kind): boolean {
  const folder = path.join(PROJECT, 'test', kind.name);
  return (
    existsSync(folder) && readdirSync(folder, { recursive: true }).some((file) => String(file).endsWith('.test.ts'))
  );
}

async function runKind(kind: Kind, scratch: string): Promise<Outcome> {
  if (!hasTests(kind)) return { passed: 0, failed: 0, skipped: [`${kind.name}: no tests of this kind yet`] };
  await ensureTools(kind.tools);
  const started = Date.now();
  console.log(`\n== ${kind.name} ==`);
  const report = path.join(scratch, `${kind.name}.json`);
  const code = await runVitest(kind, report);
  const outcome = readReport(report);
  if (code !== 0 && outcome.failed === 0) outcome.failed = 1; // an error outside any test
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(
    `${kind.name}: ${outcome.passed} passed, ${outcome.failed} failed, ${seconds} s (budget ${kind.budget} s)`,
  );
  return outcome;
}

async function main(asked: string[]): Promise<void> {
  const unknown = asked.filter((name) => !KINDS.some((kind) => kind.name === name));
  if (unknown.length)
    throw new Error(`unknown kind ${unknown.join(', ')}: expected ${KINDS.map((k) => k.name).join(', ')}`);
  const kinds = asked.length ? KINDS.filter((kind) => asked.includes(kind.name)) : KINDS.filter((kind) => !kind.optIn);
  const scratch = mkdtempSync(path.join(tmpdir(), 'cupel-test-'));
  try {
    await ensureTools([...new Set(kinds.filter(hasTests).flatMap((kind) => kind.tools))]);
    const outcomes: Outcome[] = [];
    for (const kind of kinds) outcomes.push(await runKind(kind, scratch));
    const skipped = outcomes.flatMap((outcome) => outcome.skipped);
    if (skipped.length) console.log(`\nskipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
    const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
    const failed = sum((outcome) => outcome.failed);
    process.exitCode = failed ? 1 : 0;
    console.log(`\n${sum((outcome) => outcome.passed)} passed, ${failed} failed`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  console.log('\n0 passed, 1 failed');
  process.exitCode = 1;
}
