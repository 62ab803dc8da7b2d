"""Few-shot examples that are looked up for each question, among the rows of a dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import dspy
from pydantic import JsonValue
from pydantic_core import to_json

from application.lm_ports import JsonObject, ProgramFailed, RunnableProgram
from domain.module.values import Nearest
from domain.retrieval.ranking import Ranking
from domain.signature.fields import SignatureSpec
from domain.values import Failure
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.side_calls import side_call


class Examples:
    """The rows of a dataset, to be compared with inputs by their words."""

    def __init__(
        self, rows: Sequence[JsonObject], signature: SignatureSpec, *, dataset_id: UUID
    ) -> None:
        self._identity = str(dataset_id)
        self._inputs = [field.name for field in signature.inputs]
        known = [*self._inputs, *(field.name for field in signature.outputs)]
        self._rows = [{name: row[name] for name in known if name in row} for row in rows]
        self._texts = [self._text(row) for row in self._rows]
        self._often, self._ranking = Counter(self._texts), Ranking(self._texts)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Examples":
        # Programs are copied all the time; the rows they look at never change.
        return self

    def nearest(self, node: str, inputs: Mapping[str, Any], k: int) -> list[dict[str, Any]]:
        """The *k* rows nearest to *inputs*, the nearest one last: right before the question.

        One with these very inputs is left out: where a program is judged or optimized on the rows
        it learns from, that would be the answer. The look-up is recorded: more rows in the dataset
        shall not change what was asked already.
        """
        query = self._text(inputs)

        def look_up() -> JsonValue:
            found = self._ranking.nearest(query, k + self._often[query])
            others = [place for place, _ in found if self._texts[place] != query][:k]
            return [dict(self._rows[place]) for place in reversed(others)]

        arguments: dict[str, JsonValue] = {"query": query, "k": k}
        rows = side_call("retrieval", node, "nearest", arguments, look_up, identity=self._identity)
        return cast("list[dict[str, Any]]", rows)

    def _text(self, values: Mapping[str, Any]) -> str:
        parts = (values[name] for name in self._inputs if name in values)
        return "\n".join(
            each if isinstance(each, str) else to_json(each, fallback=str).decode()
            for each in parts
        )


class WithNearest(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """A module that is shown, after its own demos, the *k* examples nearest to its inputs."""

    def __init__(self, module: dspy.Module, examples: Examples, k: int) -> None:
        super().__init__()
        self.module, self.examples, self.k = module, examples, k

    def forward(self, **inputs: Any) -> dspy.Prediction:
        (predictor,) = self.module.predictors()
        node = getattr(predictor, NODE_ID, "unknown")
        demos = [*predictor.demos, *self.examples.nearest(node, inputs, self.k)]
        return self.module(**inputs, demos=demos)


def examples_of(program: RunnableProgram, nearest: Nearest, signature: SignatureSpec) -> Examples:
    """The examples that *nearest* names.

    Raises:
        ProgramFailed: The program was given no such dataset.
    """
    rows = program.examples.get(nearest.dataset_id)
    if rows is None:
        message = f"The dataset {nearest.dataset_id} was not given to the run. Name another one."
        raise ProgramFailed(Failure(code="program.unbuildable", message=message))
    return Examples(rows, signature, dataset_id=nearest.dataset_id)
