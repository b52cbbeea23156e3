"""A step that does nothing but say that it ran: one line when it starts, one when it ends."""

import os
import time

STEPS = ("validate", "launch", "process", "commit")


def step(partition, name):
    pause = int(os.environ.get("BENCH_STEP_MS", "0")) / 1000
    # O_APPEND: lines of several processes never mix.
    ledger = os.open(os.environ["BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(ledger, _line("S", partition, name))
        if pause:
            time.sleep(pause)
        os.write(ledger, _line("E", partition, name))
    finally:
        os.close(ledger)
    return partition


def _line(kind, partition, name):
    return f"{kind} {partition} {name} {os.getpid()} {time.time():.3f}\n".encode()
