/** One address that a poll reads. */
export interface PollFeed {
  /** What brings its objects. Default `poll`. */
  kind?: 'poll';
  /** Folder of Bronze under the source, and the last part of the URL without its extension. */
  name: string;
  /** The real address; where a request really goes is the poll function's configuration. */
  url: string;
  /** How far back one answer reaches, in seconds. */
  coverageSeconds: number;
  /** Time between polls, in seconds. Undefined: the feed has no schedule, so nothing can be missing from it. */
  intervalSeconds?: number;
}

/** Deliveries that others sign and post to the ingest function (docs/webhooks.md). */
export interface WebhookFeed {
  kind: 'webhook';
  /** Folder of Bronze under the source. */
  name: string;
  /** `github`: `X-Hub-Signature-256` and `X-GitHub-Delivery`. `standard-webhooks`: the headers of that specification. */
  scheme: 'github' | 'standard-webhooks';
  /** Name of the environment variable that holds the secrets, several while they are rotated. */
  secretsFrom: string;
  /** Age of a signed time that is still accepted; only Standard Webhooks sign one. Default 300. */
  toleranceSeconds?: number;
  /** Most bytes of a body, decompressed too. Default 1 MiB. */
  maxBytes?: number;
  /** Deepest nesting of a body. Default 32. */
  maxDepth?: number;
  /** Most keys of a body's objects together. Default 10,000. */
  maxKeys?: number;
  /** Headers that are kept, in lower case; never the signature. */
  headers: string[];
}

/** Files that others drop into the inbox bucket under `<source>/<feed>/`, by any name (docs/files.md). */
export interface FileFeed {
  kind: 'file';
  /** Folder of Bronze under the source, and of the inbox. */
  name: string;
  /** `high`: a file goes through pipeline and Gold as soon as it is there. Default `normal`: with the next run. */
  priority?: 'high' | 'normal';
}

/** Messages that a Cloud Storage subscription of the source's topic archives (docs/subscriptions.md). */
export interface SubscriptionFeed {
  kind: 'subscription';
  /** Folder of Bronze under the source. */
  name: '_sub';
}

/** An API of the origin that answers for a range of time: the pipeline asks it itself, in a backfill of mode `pull` (docs/pull.md). */
export interface PullFeed {
  kind: 'pull';
  /** Folder of Bronze under the source. */
  name: string;
  /** The real address; where a request really goes is configuration, as of a poll. */
  url: string;
  /** Parameters of every request, such as its format; never a secret. Default: none. */
  parameters?: Record<string, string>;
  /** Parameters that a request's range stands in, as ISO 8601 in UTC. */
  startParameter: string;
  endParameter: string;
  /** Parameter that `pageSize` stands in. */
  limitParameter: string;
  /** Most records of an answer; one that holds so many may be cut off, so its range is asked again in halves. */
  pageSize: number;
  /** Length of a window, in seconds: whole hours, since each is a partition of its own. */
  windowSeconds: number;
  /** Polled feeds whose gaps and missing slots its answers make good. */
  repairs: string[];
  /** Most requests in a minute from one job. Default 60. */
  requestsPerMinute?: number;
}

/** One way on which objects of a source come to Bronze. */
export type Feed = PollFeed | WebhookFeed | FileFeed | SubscriptionFeed | PullFeed;

/** Whether a feed is polled. */
export const isPolled = (feed: Feed): feed is PollFeed => feed.kind === undefined || feed.kind === 'poll';

/** Whether a feed is pulled. */
export const isPulled = (feed: Feed): feed is PullFeed => feed.kind === 'pull';

/** Seconds between the objects of a feed that has a schedule. */
export const intervalOf = (feed: Feed): number | undefined => (isPolled(feed) ? feed.intervalSeconds : undefined);
