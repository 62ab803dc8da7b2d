"""The figures of the benchmarks, as they wrote them; nobody types a figure."""

import json
from typing import Any, Final

from docs.generators.markdown import table
from docs.generators.packages import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results"
FIGURES: Final = RESULTS / "overhead.json"
FOLDS: Final = RESULTS / "folds.json"
STATIONS: Final = RESULTS / "stations.json"
MEMORY: Final = RESULTS / "memory.json"
REPLAYS: Final = RESULTS / "replays.json"
PLOT: Final = ROOT / "docs" / "_static" / "overhead.svg"

_NONE: Final = "No run of the benchmark is on record here. `make bench` makes one.\n"
_PICTURE: Final = """
```{image} ../_static/overhead.svg
:alt: Latency, throughput and CPU of bare DSPy and of Stratal, side by side
:width: 100%
```
"""


def overhead() -> str:
    """The part of the page on overhead that the benchmark knows."""
    if not FIGURES.is_file():
        return _NONE
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    columns = ("system", "callers", "p50, ms", "p99, ms", "per second", "CPU, ms", "stored")
    parts = [table(columns, [_row(each) for each in figures["rows"]])]
    if stations := figures.get("stations_p50_ms"):
        rows = [(name, f"{took_ms:.1f}") for name, took_ms in stations.items()]
        parts.append("\nWhere the time of one execution goes, p50 with one caller:\n\n")
        parts.append(table(("station", "ms"), rows))
    if PLOT.is_file():
        parts.append(_PICTURE)
    return "".join(parts)


def folds() -> str:
    """The table of the page on loading aggregates."""
    if not FOLDS.is_file():
        return _NONE
    rows: list[dict[str, Any]] = json.loads(FOLDS.read_text(encoding="utf-8"))["rows"]
    columns = ("stream", "events", "loaded", "p50, ms", "p99, ms", "plain way ÷ it")
    return table(columns, [_fold(each) for each in rows])


def stations() -> str:
    """The table of the page on latency: what each station takes, and what is beside it."""
    if not STATIONS.is_file():
        return _NONE
    figures: dict[str, Any] = json.loads(STATIONS.read_text(encoding="utf-8"))
    rows = {**figures["stations_ms"], "**in all**": figures["in_all_ms"], **figures["beside_ms"]}
    return table(("station", "p50, ms"), [(name, f"{ms:.2f}") for name, ms in rows.items()])


def memory() -> str:
    """The table of what a worker holds after so many executions."""
    if not MEMORY.is_file():
        return _NONE
    rows: list[dict[str, Any]] = json.loads(MEMORY.read_text(encoding="utf-8"))["rows"]
    told = [(f"{row['executions']:,}", f"{row['resident_mb']:.1f}") for row in rows]
    return table(("executions", "resident, MB"), told)


def replays() -> str:
    """The table of the page on replays."""
    if not REPLAYS.is_file():
        return _NONE
    rows: list[dict[str, Any]] = json.loads(REPLAYS.read_text(encoding="utf-8"))["rows"]
    columns = (
        "programs",
        "threads",
        "runs",
        "verified",
        "calls",
        "model asked",
        "calls/s of a core",
    )
    return table(columns, [_replayed(each) for each in rows])


def _replayed(row: dict[str, Any]) -> tuple[str, ...]:
    is_replay = row["model_calls"] == 0
    counts = (row["calls"], row["model_calls"], round(row["calls_a_core"]))
    verified = f"{row['verified']:,}" if is_replay else "-"
    return (
        row["name"],
        str(row["threads"]),
        f"{row['replays']:,}",
        verified,
        *(f"{each:,}" for each in counts),
    )


def _fold(row: dict[str, Any]) -> tuple[str, ...]:
    times = (f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
    ratio = f"{row['plain_ms'] / row['p50_ms']:.2f}"
    return row["name"], f"{row['events']:,}", row["loaded"], *times, ratio


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    stored = "-" if row["stored"] is None else f"{row['stored']} of {row['accepted']}"
    figures = (row["p50_ms"], row["p99_ms"], row["rps"], row["cpu_ms"])
    return row["name"], str(row["concurrency"]), *(f"{each:.1f}" for each in figures), stored
