// duckdb.ts JOB: the same job as SQL, on all cores, from the same files to a Parquet file per bucket.
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import type { FilesJob } from './job.ts';

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FilesJob;
const files = job.objects.map(({ file }) => `'${file}'`).join(', ');
// Names of Bronze begin behind the bucket's folder.
const [first] = job.objects;
const folder = (first?.file.length ?? 0) - (first?.name.length ?? 0);

const FEATURE = JSON.stringify({
  id: 'VARCHAR',
  properties: {
    ...{ time: 'BIGINT', updated: 'BIGINT', mag: 'DOUBLE', magType: 'VARCHAR', place: 'VARCHAR', type: 'VARCHAR' },
    ...{ status: 'VARCHAR', net: 'VARCHAR', sig: 'BIGINT', felt: 'BIGINT', tsunami: 'INTEGER', title: 'VARCHAR' },
    url: 'VARCHAR',
  },
  geometry: { coordinates: ['DOUBLE'] },
});

/** A record a row: read whole, taken apart once. `raw` is kept for the hash. */
const RECORDS = `
  select substr(filename, ${folder} + 1) as object, generated, raw, offset_, json_transform(raw, '${FEATURE}') as f
  from (
    select filename, metadata.generated as generated, unnest(features) as raw,
      generate_subscripts(features, 1) - 1 as offset_
    from read_json([${files}], columns = {metadata: 'STRUCT(generated BIGINT)', features: 'JSON[]'},
      filename = true, maximum_object_size = 1073741824))`;

const ROWS = `
  select coalesce(nullif(f.id, ''), regexp_extract(f.properties.url, '([^/?#]+)/*(?:[?#].*)?$', 1)) as event_id,
    make_timestamptz(f.properties.time * 1000) as event_time,
    make_timestamptz(f.properties.updated * 1000) as updated_at,
    f.properties.mag as magnitude, f.properties.magType as magnitude_type, f.properties.place as place,
    f.geometry.coordinates[1] as longitude, f.geometry.coordinates[2] as latitude,
    f.geometry.coordinates[3] as depth_km, f.properties.type as event_type, lower(f.properties.status) as status,
    f.properties.net as network, f.properties.sig as significance, f.properties.felt as felt_reports,
    f.properties.tsunami = 1 as tsunami, f.properties.title as title, f.properties.url as url,
    false as _tombstone, make_timestamptz(generated * 1000) as _carrier_order, object || '#' || offset_ as _record_id,
    object as _bronze_object, raw
  from (${RECORDS})`;

/** The newest of each key; the hash decides only where version and carrier's order are equal. */
const LATEST = `
  select *, row_number() over (partition by event_id
    order by case when ties > 1 then sha256(raw::varchar) end desc, _record_id) as place_
  from (
    select *, count(*) over (partition by event_id) as ties
    from (
      select *, min(updated_at) over (partition by event_id) as _first_version,
        rank() over (partition by event_id order by updated_at desc, _carrier_order desc) as rank_
      from (${ROWS})
      where event_id is not null and event_time is not null and updated_at is not null)
    where rank_ = 1)
  qualify place_ = 1`;

const SELECT = `
  select * exclude (raw, ties, rank_, place_), ${job.rulesVersion}::integer as _rules_version,
    unhex(sha256(raw::varchar)) as _record_hash, '${job.contract}' as _contract,
    hash(event_id) % ${job.buckets} as bucket
  from (${LATEST})`;

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(`set timezone = 'UTC'`);
await connection.run(
  `copy (${SELECT}) to '${job.output}' (format parquet, partition_by (bucket), overwrite_or_ignore)`,
);
connection.closeSync();
instance.closeSync();
