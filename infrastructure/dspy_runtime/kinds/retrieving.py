"""Looks passages up in a corpus; no model is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import dspy

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.module.parameters import Retrieve
from domain.module.values import ModuleSpec
from domain.retrieval.ranking import Ranking
from domain.tool.values import Corpus
from domain.values import Failure
from infrastructure.dspy_runtime.kinds.building import Built, Place
from infrastructure.dspy_runtime.tools import passages


class Texts:
    """A corpus made ready to be searched for one node; every search is a fact of the run."""

    def __init__(self, node: str, corpus: Corpus, texts: Sequence[str]) -> None:
        self._node, self._corpus = node, corpus
        self._texts, self._ranking = texts, Ranking(texts)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Texts":
        # Programs are copied all the time; the texts never change.
        return self

    def search(self, query: str, k: int) -> list[str]:
        """The *k* texts nearest to *query* that share a word with it."""
        ranking, texts = self._ranking, self._texts
        return passages(self._node, "retrieve", ranking, texts, query, k, corpus=self._corpus)


class Retriever(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """The *k* passages of a corpus nearest to its one input, as its one output."""

    def __init__(self, signature: Any, corpus: Texts, k: int) -> None:
        super().__init__()
        (self.query,) = signature.input_fields
        (self.passages,) = signature.output_fields
        self.corpus, self.k = corpus, k

    def forward(self, **inputs: Any) -> dspy.Prediction:
        found = self.corpus.search(inputs[self.query], self.k)
        return dspy.Prediction(**{self.passages: found})


def built(place: Place, spec: ModuleSpec) -> Built:
    """``Retriever`` over the corpus of *spec*."""
    told, signature, corpus = spec.parameters, place.named("signature"), place.named("corpus")
    assert isinstance(told, Retrieve)

    def needs(program: RunnableProgram) -> Mapping[str, object]:
        texts = program.corpora.get(told.corpus)
        if texts is None:
            message = f"The dataset {told.corpus.dataset_id} was not given to the run."
            raise ProgramFailed(Failure(code="program.unbuildable", message=message))
        return {corpus: Texts(place.node_id, told.corpus, texts)}

    return Built(
        f"Retriever({signature}, {corpus}, k={told.k!r})",
        {"Retriever": Retriever, signature: place.signature(spec.signature)},
        needs,
    )
