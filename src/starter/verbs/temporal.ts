import { Connection } from '@temporalio/client';
import type { Command } from 'commander';
import { temporalSettings } from '../../temporal.ts';
import { answer } from '../output.ts';
import { setUpTemporal } from '../temporal-setup.ts';
import type { SetupResult } from '../temporal-setup.ts';

async function setUp(): Promise<SetupResult> {
  const { namespace, ...options } = temporalSettings();
  const connection = await Connection.connect(options);
  try {
    return await setUpTemporal(connection, namespace);
  } finally {
    await connection.close();
  }
}

function story({ namespace, registered, made }: SetupResult): string {
  const done = [...(registered ? ['the namespace'] : []), ...made];
  return `namespace ${namespace}: ${done.length ? `made ${done.join(', ')}` : 'everything is there'}`;
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
      '\nThe connection is that of the profile TEMPORAL_PROFILE (docs/temporal.md).' +
        '\nExample:\n  $ TEMPORAL_ADDRESS=127.0.0.1:7233 TEMPORAL_NAMESPACE=cupel cupel temporal setup',
    )
    .action(async (options: { json?: boolean }) => {
      const done = await setUp();
      answer(options, done, [story(done)]);
    });
}
