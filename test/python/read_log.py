"""Prints every row of a Parquet log as JSON, sorted by record id: python read_log.py FOLDER"""

import json
import sys

import pyarrow.dataset as ds

table = ds.dataset(sys.argv[1], format="parquet", partitioning="hive").to_table()
for row in sorted(table.to_pylist(), key=lambda row: row["_record_id"]):
    row["_record_hash"] = row["_record_hash"].hex()
    print(json.dumps(row, default=str, ensure_ascii=False))
