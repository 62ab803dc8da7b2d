"""Metrics and optimizers by name: those that Stratal brings, and those of allowed packages."""

from collections.abc import Callable
from typing import Any, cast

from application.extensions import is_import_path
from application.lm_ports import ProgramFailed
from application.probing import ModuleRefused
from domain.evaluation.metrics import Metric, metric
from infrastructure.dspy_runtime import custom


def metric_named(name: str) -> Metric:
    """The metric called *name*; one of another package is a function ``(example, prediction)``.

    Both are dictionaries, and what it returns is a number in 0..1.

    Raises:
        UnknownMetric: There is none.
        ProgramFailed: It cannot be imported.
    """
    return cast("Metric", _brought(name)) if is_import_path(name) else metric(name)


def optimizer_named(import_path: str) -> Callable[..., Any]:
    """What makes an optimizer of another package from ``metric`` and the config.

    Its ``compile(student, trainset=...)`` returns a program, as that of DSPy's optimizers does.

    Raises:
        ProgramFailed: It cannot be imported.
    """
    return _brought(import_path)


def source_of(import_path: str) -> str:
    """The digest of the package that *import_path* leads into, or why it has none here."""
    try:
        return custom.brought(import_path).source.sha256
    except ModuleRefused as error:
        return error.failure.code


def _brought(import_path: str) -> Callable[..., Any]:
    try:
        return cast("Callable[..., Any]", custom.brought(import_path).thing)
    except ModuleRefused as error:
        raise ProgramFailed(error.failure) from error
