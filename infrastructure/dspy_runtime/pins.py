"""Everything that would make an optimizer decide otherwise the second time, pinned."""

import contextlib
import importlib
import inspect
import io
import os
import platform
import random
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from dspy.utils.parallelizer import ParallelExecutor

from infrastructure.dspy_runtime.recording import KEY_VERSION

_LIBRARIES: Final = ("dspy", "optuna", "numpy", "pydantic", "json_repair")


def pins(seed: int) -> dict[str, str]:
    """Library versions and seeds that a resumed attempt must find unchanged."""
    return {
        "seed": str(seed),
        "call_keys": str(KEY_VERSION),
        "python": platform.python_version(),
        "python_hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        **{library: version(library) for library in _LIBRARIES},
    }


@contextlib.contextmanager
def pinned(seed: int) -> Iterator[None]:
    """Run the body with seeded randomness, without second calls for slow rows, and in silence.

    It changes the whole process: an optimizer has one of its own.
    """
    random.seed(seed)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_seeded_studies(seed))
        stack.enter_context(_no_stragglers())
        quiet = stack.enter_context(_Nothing())
        stack.enter_context(contextlib.redirect_stdout(quiet))
        stack.enter_context(contextlib.redirect_stderr(quiet))
        yield


class _Nothing(io.StringIO):
    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _seeded_studies(seed: int) -> Iterator[None]:
    """BootstrapFewShotWithOptuna makes a study without a seed; give it one."""
    optuna: Any = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    original = optuna.create_study

    def create_study(*args: Any, sampler: Any = None, **kwargs: Any) -> Any:
        sampler = sampler or optuna.samplers.TPESampler(seed=seed)
        return original(*args, sampler=sampler, **kwargs)

    optuna.create_study = create_study
    try:
        yield
    finally:
        optuna.create_study = original


@contextlib.contextmanager
def _no_stragglers() -> Iterator[None]:
    """DSPy asks a second time for rows that take over two minutes; switch that off."""
    initializer: Any = ParallelExecutor.__init__
    original = initializer.__defaults__
    named = [
        parameter.name
        for parameter in inspect.signature(initializer).parameters.values()
        if parameter.default is not parameter.empty
    ]
    changed = list(original)
    changed[named.index("timeout")] = 0
    initializer.__defaults__ = tuple(changed)
    try:
        yield
    finally:
        initializer.__defaults__ = original
