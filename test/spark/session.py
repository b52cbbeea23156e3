"""A Spark session that answers SQL: one JSON request per line of standard input, one JSON answer per line of output.

Usage: session.py CATALOG_URL STORAGE_URL JARS_DIRECTORY
Request: {"sql": "..."}, and "export": true for rows in the form of an export. Answer: {"rows": [...]}, {"text": "..."} or {"error": "..."}.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from read_silver import line  # noqa: E402


def start(catalog_url, storage_url, jars):
    catalog = "spark.sql.catalog.lake"
    options = {
        "spark.jars": ",".join(map(str, Path(jars).glob("*.jar"))),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "rest",
        f"{catalog}.uri": catalog_url,
        f"{catalog}.warehouse": "gs://cupel-silver",
        f"{catalog}.io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO",
        f"{catalog}.gcs.service.host": storage_url,
        f"{catalog}.gcs.no-auth": "true",
        f"{catalog}.gcs.project-id": "cupel-test",
        # A table is read anew by each statement: others write it too.
        f"{catalog}.cache-enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("cupel-test")
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def answer(spark, request):
    try:
        rows = [row.asDict() for row in spark.sql(request["sql"]).collect()]
        return {"text": "".join(map(line, rows))} if request.get("export") else {"rows": rows}
    except Exception as error:  # what Spark says is the test's to judge
        return {"error": "\n".join(text for text in str(error).splitlines() if not text.startswith("\t"))[:2000]}


def main():
    spark = start(*sys.argv[1:4])
    for request in sys.stdin:
        print(json.dumps(answer(spark, json.loads(request)), default=str), flush=True)


if __name__ == "__main__":
    main()
