"""The worker process as it is, but whatever program it runs, a bug of ours is in the way."""

from typing import Any

from application.supplies import Supplies
from infrastructure.main.worker import main


def fails(*_: Any) -> Any:
    """Fail."""
    raise RuntimeError("a bug of ours")


if __name__ == "__main__":
    Supplies.runnable = fails  # type: ignore[assignment,method-assign]  # the fault
    main(due_after_s=3, sweep_every_s=0.5)
