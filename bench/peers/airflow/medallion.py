import datetime
import os

from airflow.sdk import dag, task

from steps import STEPS, step


@dag(
    schedule="@daily",
    start_date=datetime.datetime(2024, 1, 1),
    # In the past: the schedule itself must not add a run of its own.
    end_date=datetime.datetime(2025, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=int(os.environ["BENCH_CONCURRENCY"]),
    max_active_tasks=64,
    # Its own default is no retry: a killed task would then fail its run.
    default_args={"retries": 2, "retry_delay": datetime.timedelta(seconds=1)},
)
def medallion():
    before = None
    for name in STEPS:
        before = _task(name)(before)


def _task(name):
    @task(task_id=name)
    def run(before=None, dag_run=None):
        return step(dag_run.run_after.strftime("%Y-%m-%d"), name)

    return run


medallion()
