"""Starts bqemulator with the DuckDB extensions that came as wheels: by itself it would download them."""

import sys

from duckdb_extensions import import_extension

for extension in ("spatial", "avro"):
    import_extension(extension)

from bqemulator.cli import main  # noqa: E402  the extensions must be there first
from bqemulator.domain.events import TableDataChanged  # noqa: E402
from bqemulator.versioning.snapshots import SnapshotManager  # noqa: E402
from sqlglot import exp  # noqa: E402
from sqlglot.dialects.bigquery import BigQuery  # noqa: E402


def div(args):
    """DIV(a + b, c) becomes an operator, and sqlglot forgets that it binds tighter than what it is given or stands in."""
    if len(args) != 2:
        return exp.Anonymous(this="DIV", expressions=args)  # wrong, and DuckDB says so
    dividend, divisor = (exp.Paren(this=argument) for argument in args)
    return exp.Paren(this=exp.IntDiv(this=dividend, expression=divisor))


BigQuery.Parser.FUNCTIONS["DIV"] = div


def record_change(self, project_id, dataset_id, table_id):
    """Without the copy of the whole table that each insert made for time travel: nobody here travels in native tables."""
    self._events.publish(TableDataChanged(project_id, dataset_id, table_id))


SnapshotManager.record_change = record_change

sys.exit(main())
