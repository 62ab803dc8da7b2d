"""One process with an engine in it: asked for one job at a time, and ended when it takes too much.

What goes wrong there, a program that grows without end included, ends that process and that job.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue

from application.lm_ports import CallJournal, JsonObject, ProgramFailed, RunStopped, TimeIsOver
from application.payloads import Payload
from application.streaming import Piece
from domain.values import Failure, LmCall, ToolCall
from infrastructure.engines import wire
from infrastructure.engines.channel import AskingFailed, Channel, ChannelIsClosed, Params, Pending
from infrastructure.engines.frames import MAX_FRAME_BYTES, FrameIsTooLarge
from infrastructure.system import resident_mb

logger = logging.getLogger(__name__)

GRACE_S: Final = 0.25
"""How long after its time a process may take to say itself that the time is over."""

_END_S: Final = 2.0
_STEP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many processes there are, and when one is replaced; 0 is without limit.

    ``jobs`` is how many it does; above ``memory_mb`` it is killed at once, whatever it does. With
    ``per_tenant`` it works for one tenant in all its life.
    """

    processes: int = 2
    per_tenant: bool = False
    jobs: int = 0
    memory_mb: int = 0
    most_bytes: int = MAX_FRAME_BYTES


@dataclass(slots=True)
class Running:
    """The run that a process works on; ``stop`` is what its journal refused it with."""

    number: int
    journal: CallJournal
    on_trial: Callable[[int, float, JsonObject], None] | None = None
    stop: BaseException | None = None


class EngineProcess:
    """A process that was started by *command*; ``jobs`` counts the runs that it was asked for."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], bounds: Bounds
    ) -> None:
        self.tenant: str | None = None
        self.jobs = 0
        self._bounds = bounds
        self._running: Running | None = None
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command; what is asked goes through its stdin
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(
            self._process.stdout,
            self._process.stdin,
            self._serve,
            wire.error_json,
            most=bounds.most_bytes,
        )
        self._listener = threading.Thread(target=self._listen, name="engine", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def late(self) -> int:
        """How many replies came when nobody waited for them any more."""
        return self._channel.late

    @property
    def is_worn(self) -> bool:
        """Whether another one should do the next job."""
        done = 0 < self._bounds.jobs <= self.jobs
        return done or self._process.poll() is not None or self._is_too_large()

    def carry(
        self,
        word: str,
        params: Params,
        *,
        running: Running | None = None,
        ends_s: float | None = None,
    ) -> JsonValue:
        """Ask for *word*; *running* is the run, if it is one, *ends_s* when it has to be over.

        Raises:
            ProgramFailed: The program failed, or is too long to be told of.
            RunStopped: The journal refused; or the time is over; or the process ended, or was ended
                because it took too much memory: the run may go on in another.
            wire.ProgramIsUnknown: The process has to be told of the program first.
        """
        self._running = running
        try:
            pending = self._channel.begin(word, params)
            self._await(pending, ends_s)
            return pending.result()
        except AskingFailed as failed:
            error = wire.error_of(failed)
            raise (running and running.stop) or error from None
        except ChannelIsClosed:
            raise self._lost() from None
        except FrameIsTooLarge as error:
            raise _too_long(error) from None
        finally:
            self._running = None

    def end(self) -> None:
        """Let it end, for a moment; then kill it. Nothing of it is left afterwards."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.kill()

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(_END_S)

    def _listen(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel.listen()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()

    def _await(self, pending: Pending, ends_s: float | None) -> None:
        while not pending.wait(self._patience_s(ends_s)):
            if ends_s is not None and time.monotonic() >= ends_s + GRACE_S:
                self._channel.give_up(pending)
                logger.warning("The engine %s did not end in time and is killed.", self.pid)
                self.kill()
                raise TimeIsOver
            if self._is_too_large():
                self._channel.give_up(pending)
                logger.warning("The engine %s takes too much memory and is killed.", self.pid)
                self.kill()
                raise RunStopped(_too_large(self._bounds.memory_mb))

    def _patience_s(self, ends_s: float | None) -> float | None:
        if self._bounds.memory_mb:
            return _STEP_S
        return None if ends_s is None else max(0.0, ends_s + GRACE_S - time.monotonic())

    def _is_too_large(self) -> bool:
        most_mb = self._bounds.memory_mb
        return bool(most_mb) and resident_mb(self._process.pid) > most_mb

    def _lost(self) -> RunStopped | ProgramFailed:
        self.kill()
        if isinstance(self._channel.nonsense, FrameIsTooLarge):
            return _too_long(self._channel.nonsense)
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        message = f"The process of the engine {how} while it worked on this."
        return RunStopped(Failure(code="engine.lost", message=message, retryable=True))

    def _serve(self, word: str, told: Params) -> JsonValue:
        running = self._running
        if running is None or running.number != told.get("run"):
            message = "This run is over; nothing more is taken of it."
            raise RunStopped(Failure(code="run.over", message=message))
        try:
            return _kept(running, word, told)
        except BaseException as error:
            running.stop = running.stop or error
            raise


def _kept(running: Running, word: str, told: Params) -> JsonValue:
    match word:
        case "find":
            found = running.journal.find(str(told["key"]))
            return None if found is None else dict(found)
        case "record":
            request, response = wire.texts_of(told)
            call = LmCall.model_validate(told["call"])
            running.journal.record(call, cast("Payload", request), response)
        case "record_tool_call":
            arguments, result = cast("list[Payload]", wire.texts_of(told))
            tool_call = ToolCall.model_validate(told["call"])
            running.journal.record_tool_call(tool_call, arguments, result)
        case "shared":
            key, within_s = str(told["key"]), cast("float", told["within_s"])
            return wire.shared_json(running.journal.shared(key, within_s=within_s))
        case "began":
            running.journal.audience.began(str(told["call"]), str(told["node"]))
        case "said":
            piece = Piece(*cast("tuple[str, int, str]", told["piece"]))
            running.journal.audience.said(str(told["call"]), str(told["node"]), piece)
        case "settle":
            running.journal.settle(str(told["key"]), is_read=bool(told["is_read"]))
        case "trial" if running.on_trial is not None:
            state = cast("JsonObject", told["state"])
            running.on_trial(cast("int", told["number"]), cast("float", told["score"]), state)
        case _:
            raise ValueError(f"An engine asks for {word}, which nobody knows.")
    return None


def _too_long(error: FrameIsTooLarge) -> ProgramFailed:
    message = f"What the engine is told, or answers, is too long. {error} Have it do less at once."
    return ProgramFailed(Failure(code="engine.frame_too_large", message=message))


def _too_large(most_mb: int) -> Failure:
    return Failure(
        code="resource_exceeded",
        message=f"The run took more than {most_mb} MB of memory and was ended. Have it take less,"
        " or raise STRATAL_MEMORY_MB.",
        retryable=True,
    )
