"""Entry of the Flex Templates (FLEX_TEMPLATE_PYTHON_PY_FILE): has the job in TypeScript write its graph for Dataflow.

Dataflow knows no template in TypeScript: its launcher runs this file with the template's parameters and with pipeline options in
Python's form. Beam's own parser, which knows the type of each, turns the options into JSON. Among them is `--template_location`:
the job ends as soon as the graph is staged and the job is written there, and Dataflow starts what it finds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys

from apache_beam.options.pipeline_options import PipelineOptions

NODE = os.environ.get("CUPEL_NODE", "node")
BEAM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Parameters of each template, by the program that takes them; beam/deploy/*.json list the same.
BATCH = ("main.ts", ["chunk", "contract", "report"])
STREAM = ("stream.ts", ["contract", "subscription", "report"])


def command(arguments):
    """The command that makes the job, and what it needs in its environment."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in {*BATCH[1], *STREAM[1]}:
        parser.add_argument(f"--{name}")
    given, rest = parser.parse_known_args(arguments)
    program, names = STREAM if given.subscription else BATCH
    parameters = [f"--{name}={getattr(given, name)}" for name in names if getattr(given, name)]
    options = PipelineOptions(rest).get_all_options(drop_default=True)
    options.pop("runner", None)  # Dataflow says DataflowRunner; the job says it in its own words
    environment = {"CUPEL_PROJECT": options.get("project"), "CUPEL_REGION": options.get("region")}
    line = [NODE, os.path.join(BEAM, program), *parameters, "--runner=dataflow", f"--pipeline-options={json.dumps(options)}"]
    return line, {name: value for name, value in environment.items() if value}


def main():
    line, environment = command(sys.argv[1:])
    with subprocess.Popen(line, env={**environment, **os.environ}) as job:
        signal.signal(signal.SIGTERM, lambda *_: job.terminate())
    sys.exit(job.returncode if job.returncode >= 0 else 128 - job.returncode)


if __name__ == "__main__":
    main()
