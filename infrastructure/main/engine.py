"""The process of an engine: answers what the worker that started it asks, and ends with it."""

import logging
import os
import sys

from infrastructure.engines.serving import EngineServer
from infrastructure.limits import own_turns
from infrastructure.pools import POOLS
from infrastructure.runtime import dspy_engine
from infrastructure.settings import Settings
from infrastructure.telemetry.setup import build_metrics, build_tracing
from infrastructure.workers.child import die_with


def main() -> int:
    """Serve until the worker closes its end of our stdin."""
    die_with(int(sys.argv[1]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s engine %(message)s")
    # What a program prints must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tracing = build_metrics("engine", POOLS.states, build_tracing("engine"))
    settings = Settings.from_environment()
    with own_turns(settings) as turns:
        engine = dspy_engine(settings, tracing, turns)
        EngineServer(engine, tracing, sys.stdin.buffer, answers).run()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads of a program must not hold it up
