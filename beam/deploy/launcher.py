"""Entry of the Flex Template (FLEX_TEMPLATE_PYTHON_PY_FILE): has the job in TypeScript write its graph for Dataflow.

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
PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "main.ts")

# Parameters of the template; beam/deploy/kappa.json lists the same.
PARAMETERS = ["chunk", "contract", "report"]


def command(arguments):
    """The command that makes the job, and what it needs in its environment."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in PARAMETERS:
        parser.add_argument(f"--{name}")
    given, rest = parser.parse_known_args(arguments)
    parameters = [f"--{name}={getattr(given, name)}" for name in PARAMETERS if getattr(given, name)]
    options = PipelineOptions(rest).get_all_options(drop_default=True)
    for name in ("runner", "beam_services"):  # the job names its runner itself; services are this machine's
        options.pop(name, None)
    environment = {"CUPEL_PROJECT": options.get("project"), "CUPEL_REGION": options.get("region")}
    line = [NODE, PROGRAM, *parameters, "--runner=dataflow", f"--pipeline-options={json.dumps(options)}"]
    return line, {name: value for name, value in environment.items() if value}


def main():
    line, environment = command(sys.argv[1:])
    with subprocess.Popen(line, env={**environment, **os.environ}) as job:
        signal.signal(signal.SIGTERM, lambda *_: job.terminate())
    sys.exit(job.returncode if job.returncode >= 0 else 128 - job.returncode)


if __name__ == "__main__":
    main()
