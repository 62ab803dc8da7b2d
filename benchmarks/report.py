"""Every benchmark prints a table, draws a plot under ``docs/`` and writes its figures as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One system at one concurrency; ``stored`` is ``None`` where nothing is to be stored."""

    name: str
    concurrency: int
    p50_ms: float
    p99_ms: float
    rps: float
    cpu_ms: float
    accepted: int
    stored: int | None


def write(name: str, rows: Sequence[Row], stations: dict[str, float]) -> None:
    """Write ``benchmarks/results/<name>.json``."""
    save(name, {"rows": [asdict(row) for row in rows], "stations_p50_ms": stations})


def save(name: str, figures: dict[str, Any]) -> None:
    """Write ``benchmarks/results/<name>.json``."""
    path = ROOT / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def plot_overhead(name: str, rows: Sequence[Row]) -> None:
    """Draw latency and throughput of each system side by side."""
    systems = list(dict.fromkeys(row.name for row in rows))
    levels = sorted({row.concurrency for row in rows})
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    for axis, (label, value) in zip(
        axes,
        [("p50, ms", "p50_ms"), ("requests/s", "rps"), ("CPU, ms an execution", "cpu_ms")],
        strict=True,
    ):
        for offset, system in enumerate(systems):
            heights = [
                getattr(row, value)
                for level in levels
                for row in rows
                if row.name == system and row.concurrency == level
            ]
            axis.bar([at + offset * 0.4 for at in range(len(levels))], heights, 0.38, label=system)
        axis.set_xticks([at + 0.2 for at in range(len(levels))], [f"c={level}" for level in levels])
        axis.set_title(label, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    _draw(name, figure)


def plot_folds(rows: Sequence[tuple[str, int, float, float]]) -> None:
    """Draw what each stream takes to load: name, events, the time, and that of the plain way."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for label, column, marker in (("as it is", 2, "o"), ("plain", 3, "x")):
        axis.plot(
            [row[1] for row in rows], [row[column] for row in rows], marker, label=label, alpha=0.8
        )
    axis.set(xscale="log", yscale="log", xlabel="events of the stream", ylabel="p50, ms")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    _draw("folds", figure)


def _draw(name: str, figure: Figure) -> None:
    figure.tight_layout()
    target = ROOT.parent / "docs" / "_static" / f"{name}.svg"
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


def plot_appends(levels: Sequence[str], per_s: dict[str, list[float]]) -> None:
    """Draw how many events a second each way appends at each level."""
    figure, axis = plt.subplots(figsize=(9, 3.4))
    for offset, (way, heights) in enumerate(per_s.items()):
        places = [at + offset * 0.27 for at in range(len(levels))]
        axis.bar(places, heights, 0.25, label=way)
    axis.set_xticks([at + 0.27 for at in range(len(levels))], list(levels), fontsize=8)
    axis.set_title("events appended a second, one a commit", fontsize=10)
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    _draw("appends", figure)


def plot_growth(sizes: Sequence[int], p50_ms: dict[str, list[float]]) -> None:
    """Draw what each question takes at each size of the log."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    for question, took_ms in p50_ms.items():
        axis.plot(sizes, took_ms, marker="o", label=question)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("events in the log", fontsize=9)
    axis.set_title("p50, ms", fontsize=10)
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    _draw("growth", figure)
