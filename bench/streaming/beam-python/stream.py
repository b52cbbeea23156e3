"""stream.py JOB SUBSCRIPTION: the same job as an unbounded Beam pipeline in Python; rules and reduction are those of the batch."""

import json
import os
import sys
import uuid

import apache_beam as beam
from apache_beam.io import ReadFromPubSub
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import trigger, window
from apache_beam.utils.timestamp import Duration

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../kappa/beam-python"))

import mmh3  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from kappa import SCHEMA, TIME, Latest, seal, to_row  # noqa: E402


class ParseMessage(beam.DoFn):
    """Messages that the contract refuses are left out."""

    def process(self, message):
        try:
            feature = json.loads(message.data)
            name, _, offset = message.attributes["record_id"].rpartition("#")
            row = to_row(feature, int(message.attributes["carrier_order"]) // 1000, name, int(offset))
        except (KeyError, ValueError):
            return
        if row is not None:
            yield row["event_id"], row


class WritePane(beam.DoFn):
    """A bucket's rows of one pane: a file, that appears when it is whole."""

    def __init__(self, job):
        self.job = job

    def process(self, element):
        bucket, rows = element
        sealed = [seal(dict(row), self.job["rulesVersion"], self.job["contract"]) for row in rows]
        arrays = []
        for field in SCHEMA:
            values = [row[field.name] for row in sealed]
            if field.type == TIME:
                arrays.append(pa.array([value * 1000 for value in values], pa.int64()).cast(TIME))
            else:
                arrays.append(pa.array(values, field.type))
        file = f"{self.job['output']}/{bucket}-{uuid.uuid4()}"
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), f"{file}.part")
        os.utime(f"{file}.part")
        os.rename(f"{file}.part", f"{file}.parquet")


def main():
    job = json.loads(sys.argv[1])
    buckets = job["buckets"]
    # The in-process runner of unbounded pipelines; by name, so that none is downloaded instead.
    options = PipelineOptions(["--runner=BundleBasedDirectRunner", "--streaming"])
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | ReadFromPubSub(subscription=sys.argv[2], with_attributes=True)
        | beam.ParDo(ParseMessage())
        | beam.WindowInto(
            window.FixedWindows(1),
            trigger=trigger.AfterWatermark(late=trigger.AfterCount(1)),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
            allowed_lateness=Duration(seconds=86400),
        )
        | beam.CombinePerKey(Latest())
        | beam.Map(lambda kv: ((mmh3.hash(kv[0]) & 0x7FFFFFFF) % buckets, kv[1]))
        | beam.GroupByKey()
        | beam.ParDo(WritePane(job))
    )
    result = pipeline.run()
    print("reads", flush=True)
    result.wait_until_finish()


if __name__ == "__main__":
    main()
