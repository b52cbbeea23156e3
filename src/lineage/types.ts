/** What every facet says of itself (OpenLineage 2-0-2, `BaseFacet`). */
export interface Facet {
  _producer: string;
  _schemaURL: string;
  [member: string]: unknown;
}

/** Facets by their names. */
export type Facets = Record<string, Facet>;

/** A dataset's identity: where it is, and its name there (docs/lineage.md). */
export interface DatasetName {
  namespace: string;
  name: string;
}

/** A dataset as a run reads it. */
export interface InputDataset extends DatasetName {
  facets?: Facets;
  inputFacets?: Facets;
}

/** A dataset as a run writes it. */
export interface OutputDataset extends DatasetName {
  facets?: Facets;
  outputFacets?: Facets;
}

/** A job: what runs again and again. */
export interface Job extends DatasetName {
  facets?: Facets;
}

/** Where a run stands after an event. */
export type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

/** An event of a run. */
export interface RunEvent {
  eventType: EventType;
  /** RFC 3339. */
  eventTime: string;
  producer: string;
  schemaURL: string;
  run: { runId: string; facets?: Facets };
  job: Job;
  inputs: InputDataset[];
  outputs: OutputDataset[];
}

/** What is known of a job that no run of ours does: of a subscription, say, which moves data without us. */
export interface JobEvent extends Omit<RunEvent, 'eventType' | 'run'> {
  eventType?: never;
  run?: never;
}

/** An event of OpenLineage. */
export type LineageEvent = RunEvent | JobEvent;

/** A run that others are part of. */
export interface RunReference {
  /** UUID. */
  runId: string;
  /** Name of its job, in our namespace. */
  job: string;
}

/** What a run is part of: the run that started it, and the one that all began with. */
export interface Parentage {
  parent: RunReference;
  root: RunReference;
}
