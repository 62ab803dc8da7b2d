"""The child process of one optimization or evaluation: reads its job, carries it out, ends."""

import logging
import sys

from infrastructure import bootstrap
from infrastructure.chosen_engine import runtime_of_a_child
from infrastructure.settings import Settings
from infrastructure.workers.carrier import Carrier
from infrastructure.workers.child import Exit, carry, die_with, read
from infrastructure.workers.jobs import JobIsUnreadable
from infrastructure.workers.lanes import LANES

CONNECTIONS = 8


def main() -> int:
    """Carry out the job on stdin; the exit code says how it went."""
    die_with(int(sys.argv[1]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s child %(message)s")
    try:
        job = read(sys.stdin.buffer.read(), LANES)
    except JobIsUnreadable as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - the sentence says it all
        return Exit.UNREADABLE
    with bootstrap.system(
        Settings.from_environment(),
        "child",
        connections=CONNECTIONS,
        runtime=runtime_of_a_child,
    ) as system:
        return carry(job, Carrier(system.dispatch, system.tracing))


if __name__ == "__main__":
    sys.exit(main())
