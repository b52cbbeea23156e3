"""Reads a Silver table with DuckDB's iceberg extension, through the catalog, and prints it as an export.

Usage: read_duckdb.py CATALOG_URL STORAGE_HOST_AND_PORT TABLE [SNAPSHOT_ID]
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parent))
from read_silver import line  # noqa: E402


def extension(name):
    """The extension's file in its wheel: nothing is downloaded."""
    folder = Path(find_spec(f"duckdb_extension_{name}").submodule_search_locations[0])
    return next(folder.rglob(f"{name}.duckdb_extension"))


def main():
    catalog_url, storage, table = sys.argv[1:4]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("httpfs", "avro", "iceberg"):
        connection.execute(f"LOAD '{extension(name)}'")
    connection.execute(f"CREATE SECRET (TYPE gcs, KEY_ID 'k', SECRET 's', ENDPOINT '{storage}', USE_SSL false, URL_STYLE 'path')")
    connection.execute(f"ATTACH 'gs://cupel-silver' AS lake (TYPE iceberg, ENDPOINT '{catalog_url}', AUTHORIZATION_TYPE 'none')")
    version = f" AT (VERSION => {int(sys.argv[4])})" if len(sys.argv) > 4 else ""
    result = connection.execute(f"SELECT * FROM lake.silver.{table}{version} WHERE NOT _tombstone ORDER BY event_id")
    # By Arrow: fetchall() wants pytz for times.
    for row in result.fetch_arrow_table().to_pylist():
        sys.stdout.write(line(row))


if __name__ == "__main__":
    main()
