"""Starts bqemulator with the DuckDB extensions that came as wheels: by itself it would download them."""

import sys

from duckdb_extensions import import_extension

for extension in ("spatial", "avro"):
    import_extension(extension)

from bqemulator.cli import main  # noqa: E402  the extensions must be there first

sys.exit(main())
