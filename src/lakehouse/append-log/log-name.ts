import type { CompiledContract } from '../../contracts/index.ts';

/** Where an object of a log belongs. */
export interface LogPlace {
  /** Nominal hour, `YYYY-MM-DDTHH`. */
  hour: string;
  bucket: number;
}

/** Folder of a log: objects of other tables are never in it, so readers may list it. */
export function logFolder(
  silverBucket: string,
  { sink }: { sink: Pick<CompiledContract['sink'], 'namespace' | 'table'> },
): string {
  return `gs://${silverBucket}/logs/${sink.namespace}/${sink.table}/`;
}

/** The one object of an hour and a bucket, in Hive's form of partitions: `…/dt=YYYY-MM-DD/hr=HH/bucket-NNNN.parquet`. */
export function logUri(silverBucket: string, contract: Pick<CompiledContract, 'sink'>, place: LogPlace): string {
  const { sink } = contract;
  const extension = sink.kind === 'append-log' ? sink.format : '';
  const bucket = String(place.bucket).padStart(4, '0');
  const folder = `dt=${place.hour.slice(0, 10)}/hr=${place.hour.slice(11, 13)}`;
  return `${logFolder(silverBucket, contract)}${folder}/bucket-${bucket}.${extension}`;
}
