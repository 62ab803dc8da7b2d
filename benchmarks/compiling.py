"""What it costs to check a graph and to compile it: ``python -m benchmarks.compiling``.

In turns within one run with a module of as many predictors that somebody wrote by hand for DSPy,
made anew each time: the ratio says what text, class and checks add to DSPy's own making.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import dspy

from application.lm_ports import RunnableProgram
from benchmarks.report import save, show
from domain.program.conditions import Comparison
from domain.program.graph import ModuleNode, Node, ProgramGraph, module_nodes, walk
from domain.program.rules import check
from infrastructure.dspy_runtime.compiler import ProgramCache, build
from tests.support.graphs import body, branch, const, each, graph, join, loop, step

LIMIT_MS: Final = 50.0
RUNS: Final = 60
_STEP: Final = "question, notes -> answer"


@dataclass(frozen=True)
class CompileRow:
    """Medians of one graph; ``again_ms`` is how long it takes once it was compiled."""

    name: str
    nodes: int
    predictors: int
    check_ms: float
    p50_ms: float
    p99_ms: float
    by_hand_ms: float
    ratio: float
    again_ms: float


class ByHand(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """A chain of predictors."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.steps = [dspy.Predict(_STEP, temperature=0.0, max_tokens=1000) for _ in range(count)]


def graphs() -> dict[str, ProgramGraph]:
    """What is compiled, by its name."""
    return {
        "one module": graph(_STEP, _asking("only", "notes"), answer="only.answer"),
        "20 modules in a row": _row(20),
        "20 nodes of every kind": _every_kind(),
    }


def _asking(name: str, notes: str) -> ModuleNode:
    return step(name, _STEP, question="question", notes=notes)


def _row(count: int) -> ProgramGraph:
    names = [f"step{number}" for number in range(count)]
    before = ["notes", *(f"{name}.answer" for name in names)]
    nodes = [_asking(name, notes) for name, notes in zip(names, before, strict=False)]
    return graph(_STEP, *nodes, answer=f"{names[-1]}.answer")


def _every_kind() -> ProgramGraph:
    signature = "question, notes -> notes"

    def inner(name: str, *more: Node) -> Any:
        return body(signature, _asking(name, "notes"), *more, notes=f"{name}.answer")

    longer = [_asking(f"more{number}", "notes") for number in range(10)]
    urgent = Comparison(op="contains", field="question", value="now")
    nodes: list[Node] = [
        const("none", ""),
        loop("again", inner("hop"), at_most=3, question="question", notes="none.value"),
        branch("way", urgent, inner("fast"), inner("slow"), question="question", notes="notes"),
        each("each", "question", inner("one"), question="many", notes="way.notes"),
        *longer,
        join("all", "each.notes", "again.notes", *(f"{it.id}.answer" for it in longer)),
        _asking("last", "all.text"),
    ]
    return graph("question, notes, many: list[string] -> answer", *nodes, answer="last.answer")


def compiling() -> Sequence[CompileRow]:
    """What each graph costs."""
    return [_measured(name, check(written)) for name, written in graphs().items()]


def _measured(name: str, it: ProgramGraph) -> CompileRow:
    predictors = len(list(module_nodes(it)))
    program, cache = RunnableProgram("bench@1", it, None), ProgramCache()
    checked, ours, hand, again = list[float](), list[float](), list[float](), list[float]()
    for _ in range(RUNS):
        checked.append(_took_ms(lambda: check(it)))
        ours.append(_took_ms(lambda: build(program)))
        hand.append(_took_ms(lambda: ByHand(predictors)))
        cache.get(program)
        again.append(_took_ms(lambda: cache.get(program)))
    p50_ms, by_hand_ms = statistics.median(ours), statistics.median(hand)
    return CompileRow(
        name=name,
        nodes=len(list(walk(it))),
        predictors=predictors,
        check_ms=statistics.median(checked),
        p50_ms=p50_ms,
        p99_ms=statistics.quantiles(ours, n=100)[98],
        by_hand_ms=by_hand_ms,
        ratio=p50_ms / by_hand_ms,
        again_ms=statistics.median(again),
    )


def _took_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Measure, print, and write ``benchmarks/results/compiling.json``."""
    rows = compiling()
    save("compiling", {"limit_ms": LIMIT_MS, "rows": [asdict(row) for row in rows]})
    show(
        f"Compiling a graph, at most {LIMIT_MS:.0f} ms for 20 nodes",
        ["graph", "nodes", "check, ms", "p50, ms", "p99, ms", "by hand, ms", "ratio", "again, ms"],
        [
            (
                row.name,
                str(row.nodes),
                *(f"{it:.1f}" for it in (row.check_ms, row.p50_ms, row.p99_ms, row.by_hand_ms)),
                f"{row.ratio:.1f}",
                f"{row.again_ms:.4f}",
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
