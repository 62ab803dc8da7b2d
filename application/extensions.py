"""Metrics and optimizers of other packages, named by import path: ``package.module:name``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import JsonValue

from application.lm_ports import ProgramFailed
from domain.evaluation.metrics import Metric, metric
from domain.optimization.catalog import complete_config, known_optimizer
from domain.probe.rules import require_allowed
from domain.values import Failure


def is_import_path(name: str) -> bool:
    """Whether *name* leads into a package; no metric or optimizer of ours has such a name."""
    return ":" in name


class Plugins(Protocol):
    """What imports from the packages that are allowed; only workers do."""

    def metric(self, import_path: str) -> Metric:
        """The metric at *import_path*.

        Raises:
            ProgramFailed: It cannot be imported.
        """
        ...

    def source_of(self, import_path: str) -> str:
        """The digest of the package that it is in, or why it has none here."""
        ...


class NoPlugins:
    """A process that imports nothing of anybody else's."""

    def metric(self, import_path: str) -> Metric:
        """Refuse.

        Raises:
            ProgramFailed: Always, with the code ``module.not_importable``.
        """
        message = f"Nothing here imports {import_path}. Run it on a worker."
        raise ProgramFailed(Failure(code="module.not_importable", message=message))

    def source_of(self, import_path: str) -> str:
        """Nothing here has a source."""
        del import_path
        return "module.not_importable"


@dataclass(frozen=True, slots=True)
class Extensions:
    """What may be named in a request besides what Stratal brings: anything within ``packages``.

    Whether it is there, and what it takes, a worker finds out: nothing else imports it.
    """

    packages: Collection[str] = ()
    plugins: Plugins = field(default_factory=NoPlugins)

    def metric(self, name: str) -> Metric:
        """The metric called *name*, or the one there.

        Raises:
            UnknownMetric: There is none of that name.
            ProgramFailed: There is none at that path.
        """
        return self.plugins.metric(name) if is_import_path(name) else metric(name)

    def sources(self, *names: str) -> dict[str, str]:
        """The source of each of *names* that another package brings, to be pinned."""
        return {
            f"source of {each}": self.plugins.source_of(each)
            for each in names
            if is_import_path(each)
        }

    def require_metric(self, name: str) -> None:
        """Refuse a metric that nobody brings.

        Raises:
            UnknownMetric: It is none of ours, and no import path.
            PackageIsNotAllowed: It lies outside the packages.
        """
        if is_import_path(name):
            require_allowed(name, self.packages, at="/metric")
        else:
            metric(name)

    def require_optimizer(self, name: str) -> None:
        """Refuse an optimizer that nobody brings.

        Raises:
            UnknownOptimizer: It is none of ours, and no import path.
            PackageIsNotAllowed: It lies outside the packages.
        """
        if is_import_path(name):
            require_allowed(name, self.packages, at="/optimizer")
        else:
            known_optimizer(name)

    def complete_config(
        self, optimizer: str, config: Mapping[str, JsonValue]
    ) -> dict[str, JsonValue]:
        """*config* with defaults where Stratal knows them; others are as they were sent.

        Raises:
            UnknownOptimizer, PackageIsNotAllowed: As above.
            InvalidOptimizerConfig: A parameter of an optimizer of ours is unknown or out of bounds.
        """
        if is_import_path(optimizer):
            require_allowed(optimizer, self.packages, at="/optimizer")
            return dict(config)
        return complete_config(optimizer, config)


NOTHING_MORE: Final = Extensions()
"""Where no package is allowed: what Stratal brings is all there is."""
