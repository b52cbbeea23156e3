"""Entry of the Flex Template (FLEX_TEMPLATE_PYTHON_PY_FILE): submits a job of one step, which runs the Kappa job.

Dataflow knows no template in TypeScript: a launcher has to hand in a job graph of a language that it lists. This one hands in
the smallest: one element, one step, and the step runs `node beam/main.ts` on one worker, in this same image.
Trying the step again is safe: a batch has one manifest for ever (docs/deltas-and-committer.md).
"""

import argparse
import json
import logging
import os
import subprocess

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

COMMAND = ["node", "/cupel/beam/main.ts"]


class RunKappa(beam.DoFn):
    """Runs the job to its end; its metric lines become counters of the Dataflow job, all else goes to the worker's log."""

    def __init__(self, command, variables):
        self.command = command
        self.variables = variables

    def process(self, arguments):
        environment = {**os.environ, **self.variables}
        with subprocess.Popen(
            [*self.command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as job:
            last = []
            for line in job.stdout:
                if line.startswith('{"metric"'):
                    metric = json.loads(line)
                    Metrics.counter(metric["namespace"], metric["metric"]).inc(metric["value"])
                else:
                    logging.info("%s", line.rstrip())
                    last = [*last, line][-20:]
        if job.returncode:
            raise RuntimeError(f"the Kappa job ended with {job.returncode}:\n{''.join(last)}")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--chunk", required=True)
    parser.add_argument("--contract", required=True)
    # Given twice: by Dataflow (DataflowRunner, of this pipeline) and as a parameter of the template (of the Node job).
    parser.add_argument("--runner", action="append")
    own, rest = parser.parse_known_args()

    image = os.environ["CUPEL_IMAGE"]
    one_worker = ["--num_workers=1", "--max_num_workers=1", "--sdk_location=container", f"--sdk_container_image={image}"]
    options = PipelineOptions([*rest, "--runner=DataflowRunner", *one_worker])
    project = options.view_as(GoogleCloudOptions).project
    variables = {"CUPEL_PROJECT": project} if project else {}

    pipeline = beam.Pipeline(options=options)
    arguments = [f"--chunk={own.chunk}", f"--contract={own.contract}"]
    _ = pipeline | "chunk" >> beam.Create([arguments]) | "kappa" >> beam.ParDo(RunKappa(COMMAND, variables))
    pipeline.run()  # never waited for: the launcher must end for the job to start


if __name__ == "__main__":
    main()
