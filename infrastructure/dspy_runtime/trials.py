"""Trials of an optimizer: DSPy has no such event, but it scores each candidate."""

from collections.abc import Callable, Mapping
from typing import Any

from dspy.utils.callback import BaseCallback
from pydantic import JsonValue

from application.lm_ports import JsonObject
from infrastructure.dspy_runtime.state import dumped

OnTrial = Callable[[int, float, JsonObject], None]


class Escape(BaseException):
    """Carries an error of ours out of an optimizer, which would score an ``Exception`` as 0."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Trials(BaseCallback):  # type: ignore[misc]  # DSPy ships no types
    """Reports each scoring of a candidate on all *rows* as a trial, counted from 1.

    Scores on a few rows, which MIPROv2 uses on its way, are no trials: they do not compare.
    """

    def __init__(self, on_trial: OnTrial, *, rows: int) -> None:
        self._on_trial = on_trial
        self._rows = rows
        self._candidates: dict[str, dict[str, JsonValue]] = {}
        self.count = 0
        self._states: list[JsonObject] = []

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: Mapping[str, Any]) -> None:
        del instance
        self._candidates[call_id] = dumped(inputs["program"])

    def on_evaluate_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        candidate = self._candidates.pop(call_id)
        if exception is not None or len(outputs.results) != self._rows:
            return
        scores = [float(score) for *_, score in outputs.results]
        self.report(sum(scores) / len(scores), candidate)

    def saw(self, state: JsonObject) -> bool:
        """Whether a candidate with *state* was reported."""
        return state in self._states

    def report(self, score: float, candidate: JsonObject) -> None:
        """Report one more trial."""
        self.count += 1
        self._states.append(candidate)
        try:
            self._on_trial(self.count, min(1.0, max(0.0, score)), candidate)
        except Exception as error:
            raise Escape(error) from error
