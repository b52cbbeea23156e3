import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { lineageSinks } from '../../src/activities/lineage/index.ts';
import * as workflows from '../../src/workflows/index.ts';
import { HISTORIES, History } from '../support/workflows.ts';

const files = existsSync(HISTORIES) ? readdirSync(HISTORIES).filter((name) => name.endsWith('.binpb')) : [];

describe('recorded histories replay: a change of a workflow that breaks one needs patched()', () => {
  test('there is one of each workflow', () => {
    const types = new Set(
      files.map((file) => {
        const { events } = History.decode(readFileSync(path.join(HISTORIES, file)));
        return events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name;
      }),
    );
    expect([...types].sort()).toEqual(Object.keys(workflows).sort());
  });

  test.each(files)('%s', async (file) => {
    const history = History.decode(readFileSync(path.join(HISTORIES, file)));
    const id = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? undefined;
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: await workflowBundle() }, sinks: lineageSinks() },
      history,
      id,
    );
  });
});
