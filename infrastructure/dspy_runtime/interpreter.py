"""Runs the code of models in a process that is closed to the world, one for each run of a module.

It speaks DSPy's interpreter protocol, so every kind that runs code may use it.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreterError, FinalOutput

_ROOT: Final = Path(__file__).parents[2]
_CHILD: Final = "infrastructure.closed.child"
_MAX_MESSAGE: Final = 4 * 1024 * 1024  # as JSON; read, it may take twenty times as much
_START_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What code may use: memory, seconds of a processor in all, seconds for each piece of code.

    A tool that the code calls takes its time out of ``execution_s``.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_s: int = 60
    execution_s: float = 20.0


class CannotRunCode(CodeInterpreterError):  # type: ignore[misc]  # DSPy ships no types
    """This machine cannot close a process, or none could be started: no code runs on it."""


class ClosedInterpreter:
    """A namespace in a closed process; its ``tools`` run on this side."""

    execution_instructions = (
        "Code runs as Python in a closed process: the standard library as far as it needs no "
        "files, no network and no other processes. State persists from one run to the next."
    )

    def __init__(self, limits: Limits | None = None) -> None:
        self.tools: dict[str, Callable[..., Any]] = {}
        self.output_fields: list[dict[str, Any]] | None = None
        self._limits = limits or Limits()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            CannotRunCode: It cannot be closed.
        """
        if self._process is not None:
            return
        limits = self._limits
        arguments = [str(limits.memory_bytes), str(limits.cpu_s)]
        # Nothing of ours is in its environment; the seed makes the order of sets the same always.
        self._process = subprocess.Popen(  # noqa: S603 our own program
            [sys.executable, "-s", "-S", "-P", "-B", "-m", _CHILD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(_ROOT)},
            cwd="/",
            start_new_session=True,
        )
        try:
            said = self._receive(time.monotonic() + _START_S)
        except CodeExecutionError as error:
            raise CannotRunCode("The interpreter did not start.") from error
        if said != {"closed": True}:
            self.shutdown()
            raise CannotRunCode(f"Code cannot be run here: {said.get('open', 'no answer')}")

    def execute(self, code: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Run *code*; returns what it submitted, the value of its last line, or what it printed.

        Raises:
            CodeExecutionError: It failed, took too long or used too much; a process that was ended
                for that is replaced by a new one, without the variables of the old.
            SyntaxError: It is no Python.
            CannotRunCode: No code runs on this machine.
        """
        self.start()
        deadline = time.monotonic() + self._limits.execution_s
        fields = self.output_fields
        request = {
            "code": code,
            "variables": dict(variables or {}),
            "tools": list(self.tools),
            "outputs": None if fields is None else [field["name"] for field in fields],
        }
        self._send(request, deadline)
        while "tool" in (said := self._receive(deadline)):
            self._send(self._called(said), deadline)
        return _result(said)

    def shutdown(self) -> None:
        """End the process; its variables are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    def _called(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name, args, kwargs = (request.get(part) for part in ("tool", "args", "kwargs"))
        if not isinstance(name, str) or name not in self.tools:
            return {"error": "There is no such tool."}
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            return {"error": f"These are no arguments of {name}."}
        try:
            result = self.tools[name](*args, **kwargs)
            json.dumps(result)
        except Exception as error:  # noqa: BLE001 a tool may fail in any way; the code is told
            return {"error": str(error)}
        return {"result": result}

    def _send(self, message: Mapping[str, Any], deadline: float) -> None:
        pipe = self._pipe("stdin")
        try:
            body = json.dumps(message, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise CodeExecutionError(f"This value cannot be given to code: {error}") from error
        os.set_blocking(pipe, False)
        left = memoryview(len(body).to_bytes(4, "big") + body)
        while left:
            self._wait(pipe, select.POLLOUT, deadline)
            try:
                left = left[os.write(pipe, left) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._ended("It ended.") from None

    def _receive(self, deadline: float) -> dict[str, Any]:
        size = int.from_bytes(self._read(4, deadline), "big")
        if size > _MAX_MESSAGE:
            raise self._ended("It gave too much.")
        try:
            said = json.loads(self._read(size, deadline))
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise self._ended("It gave nonsense.")
        return said

    def _read(self, size: int, deadline: float) -> bytes:
        pipe, parts = self._pipe("stdout"), list[bytes]()
        while size:
            self._wait(pipe, select.POLLIN, deadline)
            part = os.read(pipe, min(size, 1 << 20))
            if not part:
                raise self._ended("It used too much memory or time, or ended itself.")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, pipe: int, ready: int, deadline: float) -> None:
        poll = select.poll()  # a worker may have more files open than select can name
        poll.register(pipe, ready)
        left_s = deadline - time.monotonic()
        # What is there too late counts as well: code could write its requests ahead.
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise self._ended(f"It took longer than {self._limits.execution_s:g} s.")

    def _pipe(self, name: str) -> int:
        pipe = getattr(self._process, name)
        number: int = pipe.fileno()
        return number

    def _ended(self, why: str) -> CodeExecutionError:
        self.shutdown()
        return CodeExecutionError(f"The code was ended. {why} All variables are gone.")


def _result(said: Mapping[str, Any]) -> Any:
    if "final" in said:
        return FinalOutput(said["final"])
    if "syntax" in said:
        raise SyntaxError(str(said["syntax"]))
    if "error" in said:
        raise CodeExecutionError(str(said["error"]))
    value = said.get("value")
    return value if value is not None else (said.get("printed") or None)
