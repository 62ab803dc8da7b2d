"""Scores of what programs answer; the same whatever engine ran them."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.extensions import NOTHING_MORE, Extensions
from application.lm_ports import CallJournal, Engine, JsonObject, ProgramFailed, RunnableProgram
from domain.evaluation.metrics import Metric
from domain.values import Failure


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One dataset row, what the program answered, and the score in 0..1; a failure scores 0."""

    row: JsonObject
    outputs: JsonObject | None
    score: float
    failure: Failure | None


def scored(
    engine: Engine,
    program: RunnableProgram,
    rows: Sequence[JsonObject],
    metric: str,
    journal: CallJournal,
    extensions: Extensions = NOTHING_MORE,
) -> Sequence[ScoredRow]:
    """Have *program* run on every row and score the answers; the result keeps the rows' order.

    Raises:
        RunStopped: The journal refused, or the provider is down: nothing was scored.
        ProgramFailed: The program itself cannot be made, or the metric failed.
    """
    measure = extensions.metric(metric)
    inputs = {field.name for field in program.graph.signature.inputs}
    batch = [{name: row[name] for name in row if name in inputs} for row in rows]
    answers = engine.forward(program, batch, journal)
    return [
        ScoredRow(row, None, 0.0, answer.failure)
        if answer.outputs is None
        else ScoredRow(row, answer.outputs, measured(measure, metric, row, answer.outputs), None)
        for row, answer in zip(rows, answers, strict=True)
    ]


def measured(measure: Metric, name: str, row: JsonObject, outputs: JsonObject) -> float:
    """The score of *outputs* against *row*, in 0..1.

    Raises:
        ProgramFailed: The metric failed (``metric.failed``); a score of 0 would hide that.
    """
    try:
        return min(1.0, max(0.0, float(measure(row, outputs))))
    except Exception as error:
        message = f"The metric {name} failed ({type(error).__name__}): {str(error)[:300]}"
        raise ProgramFailed(Failure(code="metric.failed", message=message)) from error
