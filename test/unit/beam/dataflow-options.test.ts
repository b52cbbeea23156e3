import { describe, expect, test } from 'vitest';
import { dataflowOptions, runnerOf } from '../../../beam/runners/index.ts';
import { variablesOf } from '../../../beam/runners/job-environment.ts';
import { readEnvironment } from '../../../src/gcp/env.ts';
import type { CupelError } from '../../../src/errors.ts';

const SECRET = 'whsec_c2VjcmV0';
const environment = readEnvironment({
  CUPEL_PROJECT: 'p-1',
  CUPEL_REGION: 'europe-west1',
  CUPEL_BRONZE_BUCKET: 'p-1-raw',
  CUPEL_WEBHOOK_URL: 'https://example.org',
  CUPEL_WEBHOOK_SECRET: SECRET,
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as CupelError).code;
  }
  return 'none';
}

describe('options of a job on Dataflow', () => {
  test('come from the environment, and from JSON in either spelling, which wins', () => {
    const options = dataflowOptions(
      environment,
      '{"max_num_workers": 2, "jobName": "kappa", "temp_location": "gs://t/x"}',
      'image:1',
    );
    expect(options).toMatchObject({
      project: 'p-1',
      region: 'europe-west1',
      tempLocation: 'gs://t/x',
      stagingLocation: 'gs://p-1-ops/dataflow/staging',
      sdkContainerImage: 'image:1',
      jobName: 'kappa',
      maxNumWorkers: 2,
      experiments: ['use_sibling_sdk_workers'],
    });
  });

  test('keep the experiments that are asked for', () => {
    const { experiments } = dataflowOptions(
      environment,
      '{"experiments": ["a", "use_sibling_sdk_workers"]}',
      'image:1',
    );
    expect(experiments).toEqual(['a', 'use_sibling_sdk_workers']);
  });

  test('carry the variables that a step needs, and no other', () => {
    const { cupelEnvironment, ...others } = dataflowOptions(environment, '{}', 'image:1');
    expect(cupelEnvironment).toEqual({
      CUPEL_PROJECT: 'p-1',
      CUPEL_REGION: 'europe-west1',
      CUPEL_BRONZE_BUCKET: 'p-1-raw',
      CUPEL_OPS_BUCKET: 'p-1-ops',
      CUPEL_QUARANTINE_BUCKET: 'p-1-quarantine',
    });
    expect(JSON.stringify(others)).not.toContain(SECRET);
  });

  test('are refused by name', () => {
    expect(codeOf(() => dataflowOptions(environment, '[1]', 'i'))).toBe('CUP_REQUEST_INVALID');
    expect(codeOf(() => dataflowOptions(environment, '{', 'i'))).toBe('CUP_REQUEST_INVALID');
    expect(codeOf(() => dataflowOptions(environment, '{"tempLocation": "/tmp"}', 'i'))).toBe('CUP_REQUEST_INVALID');
    expect(codeOf(() => dataflowOptions(environment, '{}', ''))).toBe('CUP_ENVIRONMENT_INVALID');
    expect(codeOf(() => runnerOf({ runner: 'dataflow', 'job-endpoint': 'localhost:1' }))).toBe('CUP_REQUEST_INVALID');
    expect(codeOf(() => runnerOf({ runner: 'direct', 'pipeline-options': '{}' }))).toBe('CUP_REQUEST_INVALID');
  });
});

describe('variables of a worker', () => {
  const variables = { CUPEL_PROJECT: 'p-1' };

  test.each([
    ['as Dataflow nests them', { options: { cupel_environment: variables }, display_data: [] }],
    ["as Beam's job API names them", { 'beam:option:cupel_environment:v1': variables }],
  ])('%s', (_, options) =>
    expect(variablesOf(['node', 'worker', '--id=1', `--options=${JSON.stringify(options)}`])).toEqual(variables),
  );

  test('a job without them is refused', () =>
    expect(codeOf(() => variablesOf(['--options={}']))).toBe('CUP_ENVIRONMENT_INVALID'));
});
