"""serve CONCURRENCY: runs the flow's runs. submit PARTITIONS: creates one run per partition."""

import asyncio
import sys

from prefect import flow, task
from prefect.client.orchestration import get_client

from steps import step


@task
def validate(partition):
    return step(partition, "validate")


@task
def launch(partition):
    return step(partition, "launch")


@task
def process(partition):
    return step(partition, "process")


@task
def commit(partition):
    return step(partition, "commit")


@flow
def medallion(partition: str):
    return commit(process(launch(validate(partition))))


async def submit(partitions):
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("medallion/backfill")
        for number in range(partitions):
            parameters = {"partition": f"p{number:04d}"}
            await client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


if __name__ == "__main__":
    verb, count = sys.argv[1], int(sys.argv[2])
    if verb == "serve":
        medallion.serve(name="backfill", limit=count)
    else:
        asyncio.run(submit(count))
