import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';

/** A Parquet file, and since when whoever reads the table sees its rows, milliseconds since 1970. */
export interface Sighting {
  file: string;
  seenMs: number;
}

/** How long messages took from their publication until they were seen. */
export interface Latencies {
  messages: number;
  /** Messages that were not seen at all; they count as later than every other one. */
  unseen: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** By how many seconds the latency grew in each second of the load: the slope of a straight line through all, the first quarter left out. */
  growth: number;
}

async function withDuckDb<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`set timezone = 'UTC'`);
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Sums up the table `latencies (published, latency)`, in which an unseen message has no latency. */
async function sumUp(connection: DuckDBConnection): Promise<Latencies> {
  const reader = await connection.runAndReadAll(`
    with bounds as (select min(published) as first, max(published) as last from latencies),
      all_of as (select published, coalesce(latency, 'infinity'::double) as latency from latencies)
    select count(*) as messages, count(*) filter (isinf(latency)) as unseen,
      quantile_disc(latency, 0.5) as p50, quantile_disc(latency, 0.99) as p99, max(latency) as max,
      coalesce(regr_slope(latency, published)
        filter (not isinf(latency) and published >= first + (last - first) / 4), 0) as growth
    from all_of, bounds`);
  const [row] = reader.getRowObjects();
  const of = (name: string): number => Number(row?.[name]);
  return {
    messages: of('messages'),
    unseen: of('unseen'),
    p50Ms: of('p50'),
    p99Ms: of('p99'),
    maxMs: of('max'),
    growth: of('growth'),
  };
}

/**
 * Latencies of messages whose rows became visible file by file. A message is seen with the first file that holds its row, or a later
 * version of it: what a newer message of the same batch replaced is not missed by anybody.
 *
 * @param sent CSV file of the publisher: `id,updated,published`
 * @param sightings of Parquet files with the columns `event_id` and `updated_at`
 */
export function latenciesOfRows(sent: string, sightings: readonly Sighting[]): Promise<Latencies> {
  return withDuckDb(async (connection) => {
    await connection.run(`create table sent as select * from read_csv(${literal(sent)})`);
    await connection.run('create table files (_file varchar, seen double)');
    await connection.run('create table versions (id varchar, updated bigint, seen double)');
    const values = sightings.map(({ file, seenMs }) => `(${literal(file)}, ${seenMs})`);
    if (values.length) await connection.run(`insert into files values ${values.join(', ')}`);
    // The greatest list that one statement takes is not ours to find out.
    for (let at = 0; at < sightings.length; at += 500) {
      const list = sightings.slice(at, at + 500).map(({ file }) => literal(file));
      await connection.run(`
        insert into versions
        select event_id, epoch_ms(updated_at), min(seen)
        from read_parquet([${list.join(', ')}], filename = '_file') join files using (_file) group by all`);
    }
    await connection.run(`
      create table latencies as
      select s.published, v.seen - s.published as latency
      from sent s
      asof left join (select id, updated, min(seen) as seen from versions group by all) v
        on s.id = v.id and s.updated <= v.updated`);
    return sumUp(connection);
  });
}

/**
 * Latencies of messages that a consumer noted one by one.
 *
 * @param sent CSV file of the publisher
 * @param received CSV file of the consumer: `published,seen`, milliseconds since 1970
 */
export function latenciesOfMessages(sent: string, received: string): Promise<Latencies> {
  return withDuckDb(async (connection) => {
    // Message by message within the same millisecond of publication: any pairing gives the same latencies.
    const numbered = (file: string, columns: string) =>
      `(select ${columns}, row_number() over (partition by published) as number from read_csv(${literal(file)}))`;
    await connection.run(`
      create table latencies as
      select s.published, r.seen - s.published as latency
      from ${numbered(sent, 'published')} s left join ${numbered(received, 'published, seen')} r using (published, number)`);
    return sumUp(connection);
  });
}
