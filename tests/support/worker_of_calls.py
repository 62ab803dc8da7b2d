"""A worker process of the tests: runs a program so many times at once, under the limits it is told.

``python -m tests.support.worker_of_calls DATABASE URL EXECUTIONS AT_ONCE RPM``; 0 is no limit. It
says ``ready``, waits for a line, works, and says how each execution ended.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from application.context import Context, within
from application.lm_ports import ProgramFailed
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.catalog import build_engine
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.rates import Limits
from infrastructure.postgres.turns import PostgresTurns, ProviderLimits
from tests.support.dspy_programs import MemoryJournal, single


def main(database: str, url: str, executions: int, at_once: int, rpm: int) -> None:
    limits = ProviderLimits(at_once or None, Limits(rpm or None))
    model = build_engine("openai/gpt-4o-mini", api_base=url, api_key="sk-of-a-test", home=Path())
    with (
        open_pool(database, min_size=1, max_size=4, name="calls") as pool,
        ThreadPoolExecutor(executions) as threads,
    ):
        runner = DspyRunner(model, turns=PostgresTurns(database, pool, "openai", limits))
        runner.program(single())

        def run(number: int) -> str:
            with within(Context(tenant="acme", actor="ada", correlation_id=uuid4())):
                question = {"question": f"Why {number}?"}
                try:
                    runner.run(single(), question, MemoryJournal(), live=True)
                except ProgramFailed as failed:
                    return failed.failure.code
                return "completed"

        print("ready", flush=True)  # noqa: T201 - the test waits for it
        sys.stdin.readline()
        print(*threads.map(run, range(executions)), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
