import { Option } from 'commander';
import type { Command } from 'commander';
import type { CompiledContract } from '../../contracts/index.ts';
import type { ActivityResources } from '../../activities/index.ts';
import type { AsOf } from '../../lakehouse/committer/index.ts';
import {
  goldSource,
  makeNativeTable,
  readPercents,
  silverSource,
  writeDatasetFiles,
} from '../../lakehouse/datasets/index.ts';
import type { DatasetResources, DatasetSource, FileFormat, SplitRows } from '../../lakehouse/datasets/index.ts';
import { cupelError } from '../../errors.ts';
import { answer } from '../output.ts';
import { contractOf, withResources } from '../session.ts';
import { readAsOf } from './silver.ts';

const EXAMPLES = `
Examples:
  $ cupel dataset export earthquakes --format bigquery --to ml.earthquakes
  $ cupel dataset export earthquakes --format csv --to gs://my-datasets --as-of 2025-05-05T00:00:00Z
  $ cupel dataset export gold.daily_seismicity --format parquet --to gs://my-datasets --splits 70,15,15`;

interface ExportOptions {
  format: 'bigquery' | FileFormat;
  to: string;
  splits: string;
  splitColumn: string;
  asOf?: string;
  json?: boolean;
}

async function sourceOf(
  resources: DatasetResources,
  contractOfSource: (source: string) => Promise<CompiledContract>,
  source: string,
  splitColumn: string,
  asOf: AsOf | undefined,
): Promise<DatasetSource> {
  if (!source.startsWith('gold.')) return silverSource(resources, await contractOfSource(source), splitColumn, asOf);
  if (asOf) throw cupelError('CUP_DATASET_REFUSED', { expected: 'no --as-of: Gold is exported as it is', source });
  return goldSource(resources, source.slice('gold.'.length), splitColumn);
}

async function make(resources: DatasetResources, source: DatasetSource, options: ExportOptions) {
  const percents = readPercents(options.splits);
  const { format, to, splitColumn } = options;
  if (format === 'bigquery') return makeNativeTable(resources, source, to, splitColumn, percents);
  const { uri, manifest } = await writeDatasetFiles(resources, source, format, to, splitColumn, percents);
  return { uri, splits: manifest.splits, manifest };
}

function splitLine(splits: SplitRows): string {
  const counts = Object.entries(splits).map(([split, rows]) => `${split} ${rows}`);
  return `rows         ${Object.values(splits).reduce((sum, rows) => sum + rows, 0)}: ${counts.join(', ')}`;
}

async function run(resources: ActivityResources, name: string, options: ExportOptions): Promise<void> {
  const { environment } = resources;
  const reach: DatasetResources = { ...resources, project: environment.project, catalogName: environment.catalog.name };
  const asOf = readAsOf(options.asOf);
  const source = await sourceOf(reach, (of) => contractOf(resources, of), name, options.splitColumn, asOf);
  const made = await make(reach, source, options);
  const { name: table, version, time } = source;
  answer(options, { ...made, source: table, sourceVersion: version, sourceTime: time }, [
    `made         ${made.uri}`,
    `of           ${table} at ${version}, ${time}`,
    splitLine(made.splits),
  ]);
}

/** `cupel dataset export SOURCE|gold.TABLE`. */
export function datasetCommand(program: Command): void {
  program
    .command('dataset')
    .description('make datasets for Vertex AI and others')
    .addHelpText('after', EXAMPLES)
    .command('export')
    .description('live rows with a split column: a BigQuery table, or files with a manifest (docs/datasets.md)')
    .argument('<source>', 'name of a contract, or gold.<table>')
    .addOption(new Option('--format <format>').choices(['bigquery', 'csv', 'parquet']).makeOptionMandatory())
    .requiredOption('--to <place>', '[project.]dataset.table, or gs://bucket[/folder] for files')
    .option('--splits <percents>', 'percents of TRAIN, VALIDATE and TEST', '80,10,10')
    .option('--split-column <name>', 'column of the split', 'data_split')
    .option('--as-of <snapshot or time>', 'time travel; not for Gold')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: ExportOptions) =>
      withResources((resources) => run(resources, source, options)),
    );
}
