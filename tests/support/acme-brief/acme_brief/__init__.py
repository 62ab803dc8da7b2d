"""A module, a metric, an optimizer and a provider as somebody else writes them."""

from collections.abc import Mapping
from typing import Any

import dspy
from dspy import lm15


class Terse(dspy.Module):
    """Asks for one word."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict(dspy.Signature("question -> answer", "Answer in one word."))

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)


def brevity(example: Mapping[str, Any], prediction: Mapping[str, Any]) -> float:
    """1 for one word, 1/2 for two, and so on."""
    return 1 / max(1, len(str(prediction["answer"]).split()))


class Shortest:
    """Shows the ``k`` rows with the shortest answers."""

    def __init__(self, metric: Any, k: int = 1) -> None:
        self.k = k

    def compile(self, student: dspy.Module, *, trainset: list[dspy.Example]) -> dspy.Module:
        shortest = sorted(trainset, key=lambda row: len(str(row.answer)))[: self.k]
        for predictor in student.predictors():
            predictor.demos = shortest
        return student


class Echo:
    """Answers every question with the number of messages it was sent."""

    seeded, supports_response_schema, supported_params = False, False, frozenset[str]()

    def __init__(self, api_base: str | None, api_key: str | None) -> None:
        pass

    def complete(self, request: lm15.Request) -> lm15.Response:
        said = f"[[ ## answer ## ]]\n{len(request.messages)}\n\n[[ ## completed ## ]]"
        message = lm15.Message.assistant(said)
        return lm15.Response(
            id="echo",
            model=request.model,
            message=message,
            finish_reason="stop",
            usage=lm15.Usage(),
        )
