import { Command } from 'commander';
import { backfillCommand } from './verbs/backfill/index.ts';
import { contractCommand } from './verbs/contract/index.ts';
import { datasetCommand } from './verbs/dataset.ts';
import { explainCommand } from './verbs/explain.ts';
import { goldCommand } from './verbs/gold.ts';
import { ingestCommand } from './verbs/ingest.ts';
import { ledgerCommand } from './verbs/ledger.ts';
import { localCommand } from './verbs/local.ts';
import { monitorCommand } from './verbs/monitor.ts';
import { parityCommand } from './verbs/parity.ts';
import { prepareCommand } from './verbs/prepare.ts';
import { quarantineCommand } from './verbs/quarantine.ts';
import { reconcileCommand } from './verbs/reconcile.ts';
import { redriveCommand } from './verbs/redrive.ts';
import { runCommand } from './verbs/run.ts';
import { schedulesCommand } from './verbs/schedules/index.ts';
import { sdkCommand } from './verbs/sdk.ts';
import { silverCommand } from './verbs/silver.ts';
import { streamCommand } from './verbs/stream.ts';
import { temporalCommand } from './verbs/temporal.ts';

/** gRPC channels of clients may hold the loop open, so the process is ended, once everything written has left it. */
function endProcess(): void {
  process.stdout.write('', () => process.exit());
}

const HELP = `
Where everything is comes from the environment (docs/production.md). For the laptop-size cloud:
  $ cupel local up
  $ eval "$(cupel local env)"
  $ cupel ingest earthquakes && cupel run earthquakes --from 2025-05-04 --to 2025-05-05`;

const program = new Command('cupel')
  .description('A serverless lakehouse on Google Cloud, run by Temporal')
  .enablePositionalOptions()
  .addHelpText('after', HELP);
for (const add of [
  localCommand,
  temporalCommand,
  prepareCommand,
  ingestCommand,
  runCommand,
  silverCommand,
  ledgerCommand,
  quarantineCommand,
  redriveCommand,
  reconcileCommand,
  parityCommand,
  monitorCommand,
  backfillCommand,
  contractCommand,
  datasetCommand,
  explainCommand,
  goldCommand,
  schedulesCommand,
  sdkCommand,
  streamCommand,
])
  add(program);

try {
  await program.parseAsync();
  endProcess();
} catch (error) {
  process.stderr.write(`cupel: ${(error as Error).message}\n`);
  for (let cause = (error as Error).cause; cause instanceof Error; cause = cause.cause)
    process.stderr.write(`  because: ${cause.message}\n`);
  process.exit(1);
}
