"""Imports what other packages bring, and DSPy with it, no sooner than somebody names it."""

from collections.abc import Collection
from dataclasses import dataclass

from domain.evaluation.metrics import Metric


@dataclass(frozen=True, slots=True)
class ImportedPlugins:
    """``application.extensions.Plugins`` of a worker that may import from *packages*."""

    packages: Collection[str]

    def metric(self, import_path: str) -> Metric:
        from infrastructure.dspy_runtime import custom, extensions  # noqa: PLC0415 - they import DSPy

        custom.allow(self.packages)
        return extensions.metric_named(import_path)

    def source_of(self, import_path: str) -> str:
        from infrastructure.dspy_runtime import custom, extensions  # noqa: PLC0415 - they import DSPy

        custom.allow(self.packages)
        return extensions.source_of(import_path)
