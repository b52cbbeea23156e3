import { Connection } from '@temporalio/client';
import type { Command } from 'commander';
import { ALREADY_EXISTS, NOT_FOUND } from '../../gcp/errors.ts';
import { temporalSettings } from '../../temporal.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/search-attributes.ts';
import { answer } from '../output.ts';

/** IndexedValueType of Temporal's API: Keyword. */
const KEYWORD = 2;

const RETENTION_DAYS = 30;

/** The namespace becomes usable a moment after it was made; until then its search attributes cannot be set. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: number }).code !== NOT_FOUND || attempt === 30) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function setUp(): Promise<{ namespace: string; made: string[] }> {
  const { namespace, ...options } = temporalSettings();
  const connection = await Connection.connect(options);
  try {
    await connection.workflowService
      .registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: { seconds: (RETENTION_DAYS * 86_400) as never },
      })
      .catch((error: { code?: number }) => {
        if (error.code !== ALREADY_EXISTS) throw error;
      });
    const known = await retried(() => connection.operatorService.listSearchAttributes({ namespace }));
    const missing = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !(name in (known.customAttributes ?? {})));
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    if (missing.length) await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    return { namespace, made: missing };
  } finally {
    await connection.close();
  }
}

/** `cupel temporal setup`: namespace and search attributes. */
export function temporalCommand(program: Command): void {
  program
    .command('temporal')
    .description('prepare Temporal')
    .command('setup')
    .description('make the namespace and the search attributes that Cupel uses; what is there stays')
    .option('--json', 'answer with JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ TEMPORAL_ADDRESS=127.0.0.1:7233 TEMPORAL_NAMESPACE=cupel cupel temporal setup',
    )
    .action(async (options: { json?: boolean }) => {
      const done = await setUp();
      answer(options, done, [
        `namespace ${done.namespace}: ${done.made.length ? `made ${done.made.join(', ')}` : 'everything is there'}`,
      ]);
    });
}
