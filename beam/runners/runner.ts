import type { Root } from 'apache-beam';

/** A pipeline: applies its steps to the root; one that asks an expansion service for steps is asynchronous. */
export type Pipeline = (root: Root) => unknown;

/** Runs pipelines. */
export interface JobRunner {
  /** Whether a graph must be handed in even where there is nothing to do: a launch on Dataflow without one counts as failed. */
  needsGraph?: boolean;
  /** Runs a pipeline to its end. */
  run(pipeline: Pipeline): Promise<void>;
}
