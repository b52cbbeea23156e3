import { createHash } from 'node:crypto';
import { bucketOf, tableName } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import { batchId as batchIdOf, encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { DeltaFile, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { BenchLake } from '../lake.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Scatters numbers over a range, the same in every run. */
const scatter = (number: number, prime: number, range: number): number => (Math.imul(number + 1, prime) >>> 0) % range;

const FIRST_TIME = 1_735_689_600_000_000n;

/** An event, its columns as full and as varied as the real feed's; a later version has another magnitude and place. */
export function eventRow(contract: CompiledContract, number: number, version: number): Row {
  const id = `us${(number + 0x1000000).toString(36)}`;
  const eventTime = FIRST_TIME + BigInt(number) * 7_919_000n;
  const updatedAt = eventTime + BigInt(version + 1) * 600_000_000n;
  const magnitude = scatter(number + version, 2_654_435_761, 700) / 100;
  const place = `${scatter(number, 40_503, 240)} km NNE of Place ${scatter(number, 2_246_822_519, 40_000)}, Region ${version}`;
  return {
    event_id: id,
    event_time: eventTime,
    updated_at: updatedAt,
    magnitude,
    magnitude_type: number % 3 ? 'ml' : 'md',
    place,
    longitude: scatter(number, 3_266_489_917, 3_600_000) / 10_000 - 180,
    latitude: scatter(number, 668_265_263, 1_800_000) / 10_000 - 90,
    depth_km: scatter(number, 374_761_393, 70_000) / 100,
    event_type: 'earthquake',
    status: number % 4 ? 'automatic' : 'reviewed',
    network: 'us',
    significance: Math.round(magnitude * 60),
    felt_reports: number % 20 ? null : scatter(number, 69_069, 500),
    tsunami: false,
    title: `M ${magnitude} - ${place}`,
    url: `https://earthquake.usgs.gov/earthquakes/eventpage/${id}`,
    _first_version: eventTime + 600_000_000n,
    _tombstone: false,
    _carrier_order: updatedAt + 60_000_000n,
    _rules_version: contract.rulesVersion,
    _record_hash: sha256(`${id} ${version}`),
    _record_id: `earthquakes/all_hour/${sha256(String(number >> 8))}.geojson#${number & 255}`,
    _bronze_object: `earthquakes/all_hour/${sha256(String(number >> 8))}.geojson`,
    _contract: contract.hash,
  };
}

/** Publishes rows, one per key, as a batch: deltas and a manifest. */
export async function publishRows(
  { store, deltas }: Pick<BenchLake, 'store' | 'deltas'>,
  contract: CompiledContract,
  name: string,
  rows: Row[],
): Promise<Manifest> {
  const table = tableName(contract);
  const fingerprint = sha256(name);
  const batchId = batchIdOf(table, fingerprint);
  const files: DeltaFile[] = [];
  for (const [bucket, members] of Map.groupBy(rows, (row) =>
    bucketOf(String(row.event_id), contract.sink.bucketCount),
  )) {
    const bytes = encodeDelta(contract, members);
    const uri = deltas.newDeltaUri(table, batchId);
    await store.create(uri, bytes);
    files.push({ uri, bucket, rows: members.length, bytes: bytes.length });
  }
  const { source, hash: contractHash, rulesVersion } = contract;
  const counts = { recordsIn: rows.length, quarantined: 0, reduced: 0, rows: rows.length };
  const base = { version: 1, batchId, table, source, contractHash, rulesVersion, fingerprint } as const;
  const manifest: Manifest = { ...base, files, ...counts, quarantine: [], byPartition: [] };
  await deltas.writeManifest(manifest);
  return manifest;
}
