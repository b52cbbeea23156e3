import type { Printer } from './print.ts';

/** Seconds of each stage on a warm machine of two cores. Files, webhooks and apps run beside each other, beside the stream and beside the batch. */
const BUDGET = {
  startup: 20,
  ingest: 40,
  stream: 45,
  parity: 15,
  validate: 5,
  process: 15,
  materialize: 30,
  files: 50,
  apps: 50,
  webhooks: 50,
};

/** A stage of the demo. */
export type StageName = keyof typeof BUDGET;

/** Seconds by stage. */
export type StageSeconds = Partial<Record<StageName, number>>;

/** Tells of the stages as they end, and keeps their times. */
export class Stages {
  readonly #print: Printer;
  readonly seconds: StageSeconds = {};

  constructor(print: Printer) {
    this.#print = print;
  }

  /** The end of a stage. */
  ended(name: StageName, seconds: number, text: string): void {
    this.seconds[name] = seconds;
    this.#print.stage(name, seconds, BUDGET[name], text);
  }

  /** Runs a stage to its end. */
  async run<T>(name: StageName, work: () => Promise<T>, text: (result: T, seconds: number) => string): Promise<T> {
    const began = this.#print.seconds;
    const result = await work();
    const seconds = this.#print.seconds - began;
    this.ended(name, seconds, text(result, seconds));
    return result;
  }
}
