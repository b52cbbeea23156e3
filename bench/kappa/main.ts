import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runCommit } from '../committer/run-commit.ts';
import { publishedContract, startBenchLake } from '../lake.ts';
import type { ProcessCost } from '../meter/process-cost.ts';
import { runMain } from '../run-main.ts';
import { runCupel } from './cupel.ts';
import type { CupelResult, CupelRun } from './cupel.ts';
import { checkSame, digestOf } from './digest.ts';
import type { TableDigest } from './digest.ts';
import { landInput } from './input.ts';
import { FILE_CONTENDERS, runPeer } from './peers.ts';
import type { FileContender } from './peers.ts';
import { phasesOf } from './phases.ts';
import { costTable, phaseTable } from './report.ts';

const HELP = `Measures the Kappa job, from objects of Bronze to deltas and a manifest, beside others that do the same from the same files.

  npm run bench:kappa -- [options]

  --records N     features in Bronze (default: 300000)
  --rounds N      every contender runs so often, in turn; the quickest counts (default: 1)
  --peers LIST    of duckdb, beam-python beside the bare loop; Beam Python is installed into the cache folder (default: none)
  --no-profile    without the further run that tells where the time goes
`;

interface Options {
  records: number;
  rounds: number;
  peers: FileContender[];
  profile: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      records: { type: 'string', default: '300000' },
      rounds: { type: 'string', default: '1' },
      peers: { type: 'string', default: '' },
      profile: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const names = values.peers.split(',').filter(Boolean);
  const unknown = names.find((name) => !FILE_CONTENDERS.some((known) => known === name));
  if (unknown) throw new Error(`--peers: expected some of ${FILE_CONTENDERS.join(', ')}, found ${unknown}`);
  return {
    records: Number(values.records),
    rounds: Number(values.rounds),
    peers: FILE_CONTENDERS.filter((name) => name === 'loop' || names.includes(name)),
    profile: values.profile,
  };
}

/** All contenders in turn; of each the quickest run and what its table holds. */
async function contest(run: CupelRun, options: Options) {
  const costs = new Map<FileContender | 'cupel', ProcessCost>();
  const tables = new Map<string, TableDigest>();
  let last: CupelResult | undefined;
  const note = async (name: FileContender | 'cupel', cost: ProcessCost, files: string[]): Promise<void> => {
    const { wallSeconds } = cost;
    console.error(`bench: ${name}: ${wallSeconds.toFixed(2)} s`);
    if (wallSeconds < (costs.get(name)?.wallSeconds ?? Infinity)) costs.set(name, cost);
    tables.set(name, await digestOf(run.contract, files));
  };
  for (let round = 1; round <= options.rounds; round += 1) {
    last = await runCupel(run, `run-${round}`);
    const files = last.manifest.files.map(({ uri }) => run.lake.fileOf(uri));
    await note('cupel', last.cost, files);
    for (const peer of options.peers) {
      const { cost, files: written } = await runPeer(run, peer);
      await note(peer, cost, written);
    }
    checkSame(tables);
  }
  return { costs, table: checkSame(tables), last };
}

async function bench(options: Options, directory: string): Promise<void> {
  const lake = await startBenchLake(directory, { catalog: true });
  const { contract, uri: contractUri } = await publishedContract(lake, 'earthquakes');
  const input = await landInput(lake, contract, options.records);
  const run = { lake, contract, contractUri, input, directory };
  const objects = `${input.objects.length} objects, ${Math.round(input.bytes / 1e6)} MB`;
  console.error(
    `bench: ${input.records} ${input.kind} in ${objects}; load ${loadavg()[0]?.toFixed(2)}; logs in ${directory}`,
  );
  const { costs, table, last } = await contest(run, options);
  console.log(
    `${input.records} ${input.kind}, ${objects}; ${table.rows} rows, digest ${table.digest.slice(0, 16)} in all\n`,
  );
  console.log(costTable(input.records, costs));
  if (last) {
    const { cost } = await runCommit(lake, contractUri, last.chunk, directory);
    console.log(
      `\nThe committer, apart: ${cost.wallSeconds.toFixed(2)} s, ${cost.peakRssMb.toFixed(0)} MB, into an empty table`,
    );
  }
  if (options.profile) {
    const { cost } = await runCupel(run, 'profile', true);
    console.log(`\n${phaseTable(phasesOf(path.join(directory, 'profile')), cost)}`);
  }
  await lake.stop();
}

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return void console.log(HELP);
  const directory = mkdtempSync(path.join(tmpdir(), 'cupel-bench-kappa-'));
  await bench(options, directory);
  rmSync(directory, { recursive: true, force: true });
}

await runMain(main);
