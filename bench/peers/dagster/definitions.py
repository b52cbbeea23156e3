from dagster import DailyPartitionsDefinition, Definitions, in_process_executor, job, op

from steps import step


@op
def validate(context) -> str:
    return step(context.partition_key, "validate")


@op
def launch(partition: str) -> str:
    return step(partition, "launch")


@op
def process(partition: str) -> str:
    return step(partition, "process")


@op
def commit(partition: str) -> str:
    return step(partition, "commit")


# One process per run, the steps inside it: Dagster's cheaper way.
@job(
    partitions_def=DailyPartitionsDefinition(start_date="2024-01-01", end_date="2025-01-01"),
    executor_def=in_process_executor,
)
def medallion():
    commit(process(launch(validate())))


defs = Definitions(jobs=[medallion])
