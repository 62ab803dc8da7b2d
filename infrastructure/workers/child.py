"""The child's side of an isolated job: read it, carry it out, say by the exit code how it went."""

import ctypes
import json
import logging
import os
import signal
import sys
from enum import IntEnum

from application.attempts import RunInterrupted
from application.errors import ConcurrentWrite, StoreIsUnavailable
from infrastructure.workers.carrier import Carrier
from infrastructure.workers.jobs import Job, JobIsUnreadable, Lanes

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


class Exit(IntEnum):
    """How a child says how it went; anything else is a crash."""

    DONE = 0
    UNREADABLE = 65
    TRY_AGAIN = 75


def die_with(parent: int) -> None:
    """Have the system kill this process once its *parent* (a process id) is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we asked
        os._exit(Exit.TRY_AGAIN)


def read(document: bytes, lanes: Lanes) -> Job:
    """The job that the worker wrote to our stdin.

    Raises:
        JobIsUnreadable: It is no job of this version.
    """
    try:
        job = json.loads(document)
        [command] = [lane for lane in lanes if lane.__name__ == job["command"]]
        return Job.read(command, id=job["id"], body=job["body"], context=job["context"])
    except (KeyError, TypeError, ValueError) as fault:
        raise JobIsUnreadable(f"A job for a child cannot be read: {fault}") from fault


def carry(job: Job, carrier: Carrier) -> Exit:
    """Carry *job* out and say how it went."""
    try:
        carrier.carry(job)
    except (StoreIsUnavailable, ConcurrentWrite, RunInterrupted) as obstacle:
        logger.warning("%s %s waits: %s", type(job.command).__name__, job.id, obstacle)
        return Exit.TRY_AGAIN
    return Exit.DONE
