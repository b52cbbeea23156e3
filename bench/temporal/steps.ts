import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { STEPS } from '../meter/step-ledger.ts';

/** Runs a step between two lines of the ledger of steps. */
export type RunStep = <T>(partition: string, step: (typeof STEPS)[number], work: () => Promise<T>) => Promise<T>;

/** @param stepMs how long each step sleeps beside its work */
export function stepRunner(ledger: string, stepMs: number): RunStep {
  const write = (kind: 'S' | 'E', partition: string, step: string): void => {
    appendFileSync(ledger, `${kind} ${partition} ${step} ${process.pid} ${(Date.now() / 1000).toFixed(3)}\n`);
  };
  return async (partition, step, work) => {
    write('S', partition, step);
    if (stepMs) await delay(stepMs);
    const result = await work();
    write('E', partition, step);
    return result;
  };
}
