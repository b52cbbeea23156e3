import type { Root } from 'apache-beam';

/** A pipeline: applies its steps to the root; one that asks an expansion service for steps is asynchronous. */
export type Pipeline = (root: Root) => unknown;

/** Runs pipelines. */
export interface JobRunner {
  /** Runs a pipeline to its end. */
  run(pipeline: Pipeline): Promise<void>;
}
