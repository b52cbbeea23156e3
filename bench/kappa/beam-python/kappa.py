"""kappa.py JOB: the same job as a Beam pipeline in Python, as its own guide would have it."""

import hashlib
import json
import re
import sys

import apache_beam as beam
import mmh3
import pyarrow as pa
import pyarrow.parquet as pq
import rfc8785
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", TIME),
        ("updated_at", TIME),
        ("magnitude", pa.float64()),
        ("magnitude_type", pa.string()),
        ("place", pa.string()),
        ("longitude", pa.float64()),
        ("latitude", pa.float64()),
        ("depth_km", pa.float64()),
        ("event_type", pa.string()),
        ("status", pa.string()),
        ("network", pa.string()),
        ("significance", pa.int64()),
        ("felt_reports", pa.int64()),
        ("tsunami", pa.bool_()),
        ("title", pa.string()),
        ("url", pa.string()),
        ("_first_version", TIME),
        ("_tombstone", pa.bool_()),
        ("_carrier_order", TIME),
        ("_rules_version", pa.int32()),
        ("_record_hash", pa.binary()),
        ("_record_id", pa.string()),
        ("_bronze_object", pa.string()),
        ("_contract", pa.string()),
    ]
)
LAST_SEGMENT = re.compile(r"([^/?#]+)/*(?:[?#].*)?$")
OF_TYPE = {
    "magnitude": (int, float),
    "longitude": (int, float),
    "latitude": (int, float),
    "depth_km": (int, float),
    "significance": int,
    "felt_reports": int,
    "tsunami": bool,
}


def event_id(feature, properties):
    if feature.get("id"):
        return feature["id"]
    found = LAST_SEGMENT.search(properties.get("url") or "")
    return found.group(1) if found else None


def to_row(feature, generated, name, offset):
    """The row of a feature; None where the contract refuses it."""
    properties = feature["properties"]
    coordinates = (feature.get("geometry") or {}).get("coordinates") or [None, None, None]
    tsunami = properties.get("tsunami")
    row = {
        "event_id": event_id(feature, properties),
        "event_time": properties.get("time"),
        "updated_at": properties.get("updated"),
        "magnitude": properties.get("mag"),
        "magnitude_type": properties.get("magType"),
        "place": properties.get("place"),
        "longitude": coordinates[0],
        "latitude": coordinates[1],
        "depth_km": coordinates[2],
        "event_type": properties.get("type"),
        "status": (properties.get("status") or "").lower() or None,
        "network": properties.get("net"),
        "significance": properties.get("sig"),
        "felt_reports": properties.get("felt"),
        "tsunami": None if tsunami is None else tsunami == 1,
        "title": properties.get("title"),
        "url": properties.get("url"),
        "_first_version": properties.get("updated"),
        "_carrier_order": generated,
        "_record_id": f"{name}#{offset}",
        "_bronze_object": name,
        "_raw": feature,
    }
    if row["event_id"] is None or row["event_time"] is None or row["updated_at"] is None:
        return None
    for column, types in OF_TYPE.items():
        if row[column] is not None and not isinstance(row[column], types):
            return None
    return row


class ReadPolls(beam.DoFn):
    def process(self, element):
        name, file = element
        with open(file, "rb") as opened:
            collection = json.load(opened)
        generated = collection["metadata"]["generated"]
        for offset, feature in enumerate(collection["features"]):
            row = to_row(feature, generated, name, offset)
            if row is not None:
                yield row["event_id"], row


def order(row):
    return row["updated_at"], row["_carrier_order"]


def later(a, b):
    """The maximum; the hash decides only between equal versions of one carrier's order."""
    if order(a) != order(b):
        return a if order(a) > order(b) else b
    hashes = [hashlib.sha256(rfc8785.dumps(row["_raw"])).hexdigest() for row in (a, b)]
    if hashes[0] != hashes[1]:
        return a if hashes[0] > hashes[1] else b
    return min(a, b, key=lambda row: row["_record_id"])


class Latest(beam.CombineFn):
    def create_accumulator(self):
        return None

    def add_input(self, accumulator, row):
        if accumulator is None:
            return row
        least = min(accumulator["_first_version"], row["_first_version"])
        return {**later(accumulator, row), "_first_version": least}

    def merge_accumulators(self, accumulators):
        merged = None
        for accumulator in accumulators:
            if accumulator is not None:
                merged = self.add_input(merged, accumulator)
        return merged

    def extract_output(self, accumulator):
        return accumulator


def seal(row, rules_version, contract):
    raw = row.pop("_raw")
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    row["_record_hash"] = hashlib.sha256(text.encode()).digest()
    row["_tombstone"] = False
    row["_rules_version"] = rules_version
    row["_contract"] = contract
    return row


class WriteBucket(beam.DoFn):
    def __init__(self, job):
        self.job = job

    def process(self, element):
        bucket, rows = element
        sealed = [seal(row, self.job["rulesVersion"], self.job["contract"]) for row in rows]
        arrays = []
        for field in SCHEMA:
            values = [row[field.name] for row in sealed]
            if field.type == TIME:
                values = pa.array([value * 1000 for value in values], pa.int64()).cast(TIME)
            arrays.append(pa.array(values, field.type) if isinstance(values, list) else values)
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), f"{self.job['output']}/{bucket}.parquet")


def main():
    with open(sys.argv[1], encoding="utf-8") as opened:
        job = json.load(opened)
    buckets = job["buckets"]
    # The in-process runner that DirectRunner takes for such a pipeline; by name, so that none is downloaded instead.
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | beam.Create([(of["name"], of["file"]) for of in job["objects"]])
            | beam.Reshuffle()
            | beam.ParDo(ReadPolls())
            | beam.CombinePerKey(Latest())
            | beam.Map(lambda kv: ((mmh3.hash(kv[0]) & 0x7FFFFFFF) % buckets, kv[1]))
            | beam.GroupByKey()
            | beam.ParDo(WriteBucket(job))
        )


if __name__ == "__main__":
    main()
