"""The worked graph of the documentation: its picture, and the source that it is compiled into."""

import json
from pathlib import Path
from typing import Any, Final

from application.drawing.mermaid import mermaid
from application.drawing.svg import svg
from docs.generators.markdown import table
from docs.generators.packages import ROOT
from domain.program.graph import ProgramGraph
from domain.program.rules import check
from infrastructure.dspy_runtime.compiler import source

GRAPHS: Final = ROOT / "docs" / "examples" / "graphs"
_BALEEN: Final = GRAPHS / "simplified_baleen.json"
_QA: Final = GRAPHS / "qa_with_retrieval.json"
_FIGURES: Final = ROOT / "benchmarks" / "results" / "compiling.json"
_COLUMNS: Final = (
    "graph",
    "check, ms",
    "compile, ms",
    "the same by hand, ms",
    "ratio",
    "again, ms",
)


def read(path: Path) -> ProgramGraph:
    """The graph in the file at *path*, which keeps all the rules."""
    return check(ProgramGraph.model_validate_json(path.read_text(encoding="utf-8")))


def picture() -> str:
    """Simplified Baleen as a picture."""
    return svg(read(_BALEEN), "Simplified Baleen")


def compiled() -> str:
    """Simplified Baleen as Python."""
    return f"```python\n{source(read(_BALEEN))}```\n"


def chart() -> str:
    """Question answering with retrieval as text for Mermaid."""
    return f"```text\n{mermaid(read(_QA))}```\n"


def figures() -> str:
    """What checking and compiling cost, as the benchmark wrote it."""
    rows: list[dict[str, Any]] = json.loads(_FIGURES.read_text(encoding="utf-8"))["rows"]
    return table(_COLUMNS, [_row(each) for each in rows])


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    times = (f"{row[name]:.1f}" for name in ("check_ms", "p50_ms", "by_hand_ms", "ratio"))
    return row["name"], *times, f"{row['again_ms']:.4f}"
