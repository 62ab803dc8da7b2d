"""Has modules tried out in a process that lives for one probe, with little memory and time.

What the module does there, ``sys.exit`` and an endless loop included, ends as a refusal.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from application.probing import ModuleRefused
from domain.probe.rules import is_allowed
from domain.probe.values import Findings, ModulePromise
from domain.values import Failure

COMMAND: Final = (sys.executable, "-m", "infrastructure.main.probe")
ENVIRONMENT: Final = {"PYTHONHASHSEED": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "true"}

TIME_LIMIT_S: Final = 60.0
START_LIMIT_S: Final = 120.0
"""How long the interpreter and DSPy may take before anything of the module runs."""

MEMORY_LIMIT_BYTES: Final = 4 * 1024**3
FILE_LIMIT_BYTES: Final = 64 * 1024**2

REPORT: Final = "report.json"
STAGE: Final = "stage"
ERRORS: Final = "stderr"

_STEP_S: Final = 0.1
_PRIVATE: Final = "STRATAL_"
"""Addresses and keys of the service: nothing that is merely tried out gets to see them."""


class Job(BaseModel):
    """What the child process reads from its stdin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    promise: ModulePromise
    packages: tuple[str, ...]
    folder: Path
    memory_bytes: int
    file_bytes: int


class Report(BaseModel):
    """What the child process writes in the end: one of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: Findings | None = None
    refusal: Failure | None = None


class ProberFailed(Exception):
    """The process of a probe never came to the module: that is no fault of the module."""

    def __init__(self, errors: str) -> None:
        said = errors.strip().splitlines() or ["without a word"]
        super().__init__(f"The process of a probe ended before the module's turn: {said[-1]}")


class ChildProber:
    """Probes each module of the allowed *packages* in a child process of its own."""

    def __init__(
        self,
        packages: Collection[str],
        *,
        command: Sequence[str] = COMMAND,
        time_limit_s: float = TIME_LIMIT_S,
        memory_bytes: int = MEMORY_LIMIT_BYTES,
    ) -> None:
        self._packages = tuple(sorted(packages))
        self._command = command
        self._time_limit_s, self._memory_bytes = time_limit_s, memory_bytes

    def probe(self, promise: ModulePromise) -> Findings:
        """What was found out about the module of *promise*.

        Raises:
            ModuleRefused: It cannot be used, or did not come to an end.
        """
        if not is_allowed(promise.import_path, self._packages):
            message = "Its package is not in STRATAL_MODULES of the workers. Name it there, too."
            raise _refused("package_not_allowed", message)
        with tempfile.TemporaryDirectory(prefix="stratal-probe-") as folder:
            job = Job(
                promise=promise,
                packages=self._packages,
                folder=Path(folder),
                memory_bytes=self._memory_bytes,
                file_bytes=FILE_LIMIT_BYTES,
            )
            with _Child(self._command, job) as child:
                code = child.ended_with(self._time_limit_s)
            return _findings(Path(folder), code)


class _Child:
    """A process of its own session, of which nothing is left when the block ends."""

    def __init__(self, command: Sequence[str], job: Job) -> None:
        self._job = job
        self._errors = (job.folder / ERRORS).open("wb")
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command, the job goes through its stdin
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=_environment(os.environ),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdin is not None
        # It may be dead already; how it ended says so.
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(self._job.model_dump_json().encode())
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(ProcessLookupError):  # nothing of it is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._errors.close()

    def ended_with(self, limit_s: float) -> int:
        """Its exit code, once it has ended within *limit_s* after the module's turn came.

        Raises:
            ModuleRefused: It took longer.
            ProberFailed: Nothing of the module has run by then.
        """
        deadline_s, has_begun = time.monotonic() + START_LIMIT_S, False
        while time.monotonic() < deadline_s:
            try:
                return self._process.wait(_STEP_S)
            except subprocess.TimeoutExpired:
                if not has_begun and _stage(self._job.folder):
                    deadline_s, has_begun = time.monotonic() + limit_s, True
        stage = _begun(self._job.folder)
        message = f"It had not ended {limit_s:.0f} s after it began, while {stage}."
        raise _refused("timed_out", f"{message} Do nothing lengthy at import or in __init__.")


def _findings(folder: Path, code: int) -> Findings:
    try:
        report = Report.model_validate_json((folder / REPORT).read_bytes())
    except (OSError, ValidationError):
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        message = f"It took its process down, which {how} while {_begun(folder)}."
        raise _refused("crashed", f"{message} Mend it, then probe anew.") from None
    if report.refusal is not None:
        raise ModuleRefused(report.refusal)
    assert report.findings is not None
    return report.findings


def _stage(folder: Path) -> str | None:
    try:
        return (folder / STAGE).read_text() or None
    except OSError:
        return None


def _begun(folder: Path) -> str:
    if (stage := _stage(folder)) is None:
        raise ProberFailed((folder / ERRORS).read_text(errors="replace"))
    return stage


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in environment.items() if not name.startswith(_PRIVATE)}
    return {**own, **ENVIRONMENT}


def _refused(code: str, message: str) -> ModuleRefused:
    return ModuleRefused(Failure(code=f"module.{code}", message=message))
