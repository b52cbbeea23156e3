"""Beam's Dataflow job service, with whole numbers kept whole.

The options of a job cross Beam's job API in a protobuf Struct, whose numbers are doubles: `num_workers` arrives as 3.0, which
the Dataflow client refuses ("'float' object cannot be interpreted as an integer"). A Python pipeline never sends them this way.
"""

import logging
import sys

from apache_beam.runners.dataflow import dataflow_job_service
from apache_beam.runners.job import utils

struct_to_dict = utils.struct_to_dict


def whole(value):
    """The value with every number that has no fraction as an integer."""
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    logging.basicConfig()
    logging.getLogger().setLevel(logging.INFO)
    utils.struct_to_dict = lambda struct: whole(struct_to_dict(struct))
    dataflow_job_service.run(sys.argv[1:])
