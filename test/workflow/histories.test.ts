import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { HISTORIES, History } from '../support/workflows.ts';

const files = existsSync(HISTORIES) ? readdirSync(HISTORIES).filter((name) => name.endsWith('.binpb')) : [];

describe('recorded histories replay: a change of a workflow that breaks one needs patched()', () => {
  test('there is one of each workflow', () => {
    for (const name of ['pipeline', 'ingest', 'committer', 'source']) expect(files).toContain(`${name}.binpb`);
  });

  test.each(files)('%s', async (file) => {
    const history = History.decode(readFileSync(path.join(HISTORIES, file)));
    await Worker.runReplayHistory({ workflowBundle: { codePath: await workflowBundle() } }, history);
  });
});
