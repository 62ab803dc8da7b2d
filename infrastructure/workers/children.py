"""Carries a job in a fresh Python process that lives for it alone and dies with its worker."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from infrastructure.workers.child import Exit
from infrastructure.workers.jobs import Job, JobIsUnreadable
from infrastructure.workers.settlement import JobHandedBack

logger = logging.getLogger(__name__)

COMMAND: Sequence[str] = (sys.executable, "-m", "infrastructure.main.child")
ENVIRONMENT: Mapping[str, str] = {"PYTHONHASHSEED": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "true"}
"""What makes a repeated run equal to the first one, and keeps model prices off the network."""

STEP_S = 0.1
"""How long a child runs on, at most, after its worker was told to stop or its time was up."""

GRACE_S = 2.0
"""Between asking a child to end and killing it."""


class ChildFailed(Exception):
    """The child died, or says that the job should be tried again."""

    def __init__(self, command: str, code: int) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        super().__init__(f"The process that carried out {command} {how}.")
        self.exit_code = code


class Children:
    """Starts a child for each job and waits for it."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End every child; their jobs are handed back."""
        self._stopping.set()

    def carry(self, job: Job) -> None:
        """Carry *job* out in a child of its own session.

        Raises:
            JobHandedBack: The worker stops.
            ChildFailed: It was killed, or met an obstacle outside the command.
            JobIsUnreadable: The child could not read it.
        """
        name = type(job.command).__name__
        if self._stopping.is_set():
            raise JobHandedBack(name)
        child = subprocess.Popen(  # noqa: S603 - a fixed command, the job goes through its stdin
            [*self._command, str(os.getpid())],
            stdin=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        try:
            _hand_over(child, job)
            code = self._wait(child, name)
        finally:
            _end(child)
        if code == Exit.UNREADABLE:
            raise JobIsUnreadable(f"{name} {job.id} cannot be read by its own process.")
        if code != Exit.DONE:
            raise ChildFailed(name, code)

    def _wait(self, child: subprocess.Popen[bytes], name: str) -> int:
        while True:
            try:
                return child.wait(STEP_S)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    raise JobHandedBack(name) from None


def _hand_over(child: subprocess.Popen[bytes], job: Job) -> None:
    assert child.stdin is not None
    text = json.dumps({"command": type(job.command).__name__, "id": str(job.id), **job.body()})
    try:
        with child.stdin as pipe:
            pipe.write(text.encode())
    except BrokenPipeError:
        logger.warning("A child died before it had read its job.")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process of the child's session behind."""
    if child.poll() is None:
        _signal(child.pid, signal.SIGTERM)
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            logger.warning("A child did not end in %s s and is killed.", GRACE_S)
    _signal(child.pid, signal.SIGKILL)
    child.wait()


def _signal(session: int, number: signal.Signals) -> None:
    try:
        os.killpg(session, number)
    except ProcessLookupError:
        return
