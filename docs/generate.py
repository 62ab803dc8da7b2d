"""Writes the pages that are generated from the code: ``python -m docs.generate``.

A test compares what is committed with what this would write.
"""

from collections.abc import Callable, Mapping
from typing import Final

from docs.generators.benchmark import folds, memory, overhead, replays, stations
from docs.generators.catalogs import metrics, optimizers
from docs.generators.command_line import command_line
from docs.generators.errors import errors
from docs.generators.features import features
from docs.generators.graphs import chart, compiled, figures, picture
from docs.generators.kinds import kinds
from docs.generators.layers import layers
from docs.generators.log_benchmark import appends, growth, proofs, read_models
from docs.generators.messages import commands, events
from docs.generators.packages import ROOT
from docs.generators.promises import promises
from docs.generators.python_names import python_names
from docs.generators.roles import roles
from docs.generators.routes import routes
from docs.generators.settings import settings

DOCS: Final = ROOT / "docs"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "_static/baleen.svg": picture,
    "promises.md": promises,
    "reference/cli.md": command_line,
    "reference/commands.md": commands,
    "reference/errors.md": errors,
    "reference/events.md": events,
    "reference/features.md": features,
    "reference/http.md": routes,
    "reference/kinds.md": kinds,
    "reference/layers.md": layers,
    "reference/metrics.md": metrics,
    "reference/optimizers.md": optimizers,
    "reference/python.md": python_names,
    "reference/roles.md": roles,
    "reference/settings.md": settings,
    "explanation/_appends.md": appends,
    "explanation/_baleen.md": compiled,
    "explanation/_chart.md": chart,
    "explanation/_compiling.md": figures,
    "explanation/_folds.md": folds,
    "explanation/_growth.md": growth,
    "explanation/_latency.md": stations,
    "explanation/_memory.md": memory,
    "explanation/_overhead.md": overhead,
    "explanation/_proofs.md": proofs,
    "explanation/_read_models.md": read_models,
    "explanation/_replays.md": replays,
}


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
