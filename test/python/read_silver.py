"""Reads a Silver table with PyIceberg and prints it as an export: another reader, another language.

Usage: read_silver.py CATALOG_URL STORAGE_URL [SNAPSHOT_ID [TABLE]]    SNAPSHOT_ID 0: the newest
       read_silver.py CATALOG_URL STORAGE_URL --rules    number of rows by rules version, as JSON
"""

import json
import sys
from collections import Counter
from datetime import timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from expected import js_number  # noqa: E402


def text(value):
    if value is None:
        return "null"
    if hasattr(value, "astimezone"):
        return json.dumps(value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    if isinstance(value, float):
        return js_number(value)
    return json.dumps(value, ensure_ascii=False)


def line(row):
    # A table that got columns later has them behind the system columns.
    shown = [name for name in row if not name.startswith("_")] + ["_first_version"]
    return "{" + ",".join(f'"{name}":{text(row[name])}' for name in shown) + "}\n"


def main():
    from pyiceberg.catalog.rest import RestCatalog

    catalog_url, storage_url = sys.argv[1:3]
    catalog = RestCatalog(
        "cupel",
        uri=catalog_url,
        warehouse="gs://cupel-silver",
        **{
            "gcs.service.host": storage_url,
            "gcs.oauth2.token": "local",
            "gcs.oauth2.token-expires-at": "4102444800000",
        },
    )
    table = catalog.load_table(f"silver.{sys.argv[4] if len(sys.argv) > 4 else 'earthquakes'}")
    if sys.argv[3:] == ["--rules"]:
        versions = table.scan(selected_fields=("_rules_version",)).to_arrow()["_rules_version"].to_pylist()
        print(json.dumps(Counter(versions)))
        return
    snapshot = int(sys.argv[3]) or None if len(sys.argv) > 3 else None
    rows = table.scan(snapshot_id=snapshot).to_arrow().to_pylist()
    for row in sorted((row for row in rows if not row["_tombstone"]), key=lambda row: row["event_id"].encode()):
        sys.stdout.write(line(row))


if __name__ == "__main__":
    main()
