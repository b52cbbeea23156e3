import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { loadContract } from '../../src/lakehouse/contract-store.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { runMain } from '../run-main.ts';
import { runBare, runBeamPython } from './alone/run.ts';
import { TITLES } from './contender.ts';
import type { ContenderName, RunTrial, Trial } from './contender.ts';
import { quickContracts, SOURCE } from './contracts.ts';
import { runCupel } from './cupel/run.ts';
import { highestHeld, isHeld } from './hold.ts';
import type { Load } from './load/publisher.ts';
import { HELP, readOptions } from './options.ts';
import type { StreamingOptions } from './options.ts';
import { memoryText, ratios, stageTable, trialTable } from './report.ts';

const RUN: Record<ContenderName, RunTrial> = { cupel: runCupel, bare: runBare, 'beam-python': runBeamPython };

/** Rates of the search that are nearer to each other count as one. */
const PRECISION = 1.25;

/** A run: contract, folder, and trials so far. */
class Bench {
  readonly #contract: CompiledContract;
  readonly #directory: string;
  #trials = 0;

  constructor(contract: CompiledContract, directory: string) {
    [this.#contract, this.#directory] = [contract, directory];
  }

  /** One trial of a contender, on empty servers of its own. */
  async trial(name: ContenderName, load: Load, latencies = true): Promise<Trial> {
    this.#trials += 1;
    const directory = path.join(this.#directory, `${this.#trials}-${name}-${load.perSecond}`);
    mkdirSync(directory);
    const { perSecond, seconds } = load;
    console.error(`bench: ${name}, ${perSecond}/s for ${seconds} s; load ${loadavg()[0]?.toFixed(2)}`);
    const trial = await RUN[name]({ load, contract: this.#contract, directory, latencies });
    const { p50Ms = NaN, p99Ms = NaN, growth = NaN } = trial.latencies ?? {};
    console.error(`bench: p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, grows by ${growth.toFixed(3)} s/s`);
    rmSync(path.join(directory, 'state'), { recursive: true, force: true, maxRetries: 20 });
    return trial;
  }
}

async function latency(bench: Bench, { contenders, rates, seconds }: StreamingOptions): Promise<void> {
  const trials: Trial[] = [];
  for (const perSecond of rates) {
    for (const name of contenders) trials.push(await bench.trial(name, { perSecond, seconds }));
  }
  console.log(`\n${trialTable(trials)}\n\n${stageTable(trials)}\n\n${ratios(trials)}`);
}

/** The highest rate that a contender holds in short trials and then for as long as asked; a fifth less where it fails. */
async function heldRate(bench: Bench, name: ContenderName, options: StreamingOptions): Promise<Trial | undefined> {
  const holds = async (perSecond: number): Promise<boolean> =>
    isHeld(await bench.trial(name, { perSecond, seconds: options.trialSeconds }));
  let perSecond = await highestHeld({ from: options.from, precision: PRECISION }, holds);
  for (; perSecond >= 1; perSecond = Math.floor(perSecond * 0.8)) {
    const trial = await bench.trial(name, { perSecond, seconds: options.holdSeconds });
    if (isHeld(trial)) return trial;
  }
  return undefined;
}

async function rate(bench: Bench, options: StreamingOptions): Promise<number> {
  const held: Trial[] = [];
  for (const name of options.contenders) {
    const trial = await heldRate(bench, name, options);
    if (trial) held.push(trial);
    else console.log(`${TITLES[name]} holds no rate`);
  }
  console.log(`\nHeld for ${options.holdSeconds} s:\n\n${trialTable(held)}\n\n${stageTable(held)}`);
  return held.find(({ name }) => name === 'cupel')?.load.perSecond ?? 0;
}

async function memory(bench: Bench, { messages }: StreamingOptions, perSecond: number): Promise<void> {
  const trial = await bench.trial('cupel', { perSecond, seconds: Math.ceil(messages / perSecond) }, false);
  console.log(`\n${memoryText(trial)}`);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return void console.log(HELP);
  const directory = mkdtempSync(path.join(tmpdir(), 'cupel-bench-streaming-'));
  console.error(`bench: logs in ${directory}`);
  const contract = await loadContract(await quickContracts(directory), SOURCE);
  const bench = new Bench(contract, directory);
  const { parts, memoryRate } = options;
  if (parts.includes('latency')) await latency(bench, options);
  const held = parts.includes('rate') ? await rate(bench, options) : 0;
  if (parts.includes('memory')) await memory(bench, options, memoryRate ?? held);
  rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
}

await runMain(main);
