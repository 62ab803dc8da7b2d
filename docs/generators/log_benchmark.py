"""The figures of the benchmark of the log, as it wrote them."""

import json
from typing import Any, Final

from docs.generators.markdown import table
from docs.generators.packages import ROOT

FIGURES: Final = ROOT / "benchmarks" / "results" / "log.json"
_NONE: Final = "No run of the benchmark is on record here. `make bench-log` makes one.\n"

Rows = list[dict[str, Any]]


def appends() -> str:
    """How many events a second each way appends."""
    rows = _part("appends")
    if not rows:
        return _NONE
    ours = {
        (each["writers"], each["processes"]): each["per_s"]
        for each in rows
        if each["name"] == "stratal"
    }
    columns = ("writers", "processes", "way", "per second", "p50, ms", "p99, ms", "ours ÷ it")
    return table(columns, [_append(each, ours) for each in rows])


def growth() -> str:
    """What each question takes at each size of the log."""
    rows = _part("growth")
    if not rows:
        return _NONE
    sizes = sorted({each["events"] for each in rows})
    by = {(each["question"], each["events"]): each["p50_ms"] for each in rows}
    columns = ("question", *(f"{size:,}" for size in sizes), "largest ÷ smallest")
    return table(
        columns,
        [
            (
                question,
                *(f"{by[question, size]:.2f}" for size in sizes),
                f"{by[question, sizes[-1]] / by[question, sizes[0]]:.2f}",
            )
            for question in dict.fromkeys(each["question"] for each in rows)
        ],
    )


def read_models() -> str:
    """How fast read models come from the log, and how far they are behind it."""
    rows = _part("rebuilds")
    if not rows:
        return _NONE
    columns = ("read model", "log", "events", "catches up", "is rebuilt and verified")
    parts = [table(columns, [_rebuild(each) for each in rows])]
    behind = _figures()["lag"]
    parts.append(
        f"\nAt {behind['per_s']:.0f} events a second all read models together were"
        f" {behind['p50_ms']:.0f} ms behind the log in the median, {behind['p99_ms']:.0f} ms at"
        f" the 99th percentile, {behind['max_ms']:.0f} ms at most.\n"
    )
    return "".join(parts)


def proofs() -> str:
    """How fast the log is signed, exported and verified."""
    rows = _part("proofs")
    if not rows:
        return _NONE
    columns = ("what", "events", "a second")
    told = [(each["name"], f"{each['events']:,}", f"{each['per_s']:,.0f}") for each in rows]
    return table(columns, told)


def _append(row: dict[str, Any], ours: dict[tuple[int, int], float]) -> tuple[str, ...]:
    level = row["writers"], row["processes"]
    times = f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}"
    ratio = f"{ours[level] / row['per_s']:.2f}"
    return str(level[0]), str(level[1]), row["name"], f"{row['per_s']:,.0f}", *times, ratio


def _rebuild(row: dict[str, Any]) -> tuple[str, ...]:
    speeds = f"{row['caught_up_per_s']:,.0f}", f"{row['rebuilt_per_s']:,.0f}"
    return row["name"], row["log"], f"{row['events']:,}", *speeds


def _part(name: str) -> Rows:
    return _figures()[name] if FIGURES.is_file() else []


def _figures() -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return figures
