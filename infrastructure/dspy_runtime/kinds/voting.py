"""Several answers made into one: by another look at them, by a vote, or by their mean.

Nothing here is random: which members of an ensemble are asked depends on the inputs alone, and of
answers with equally many votes the first one wins.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError
from pydantic_core import to_json

from domain.module.parameter_rules import voted_on
from domain.module.parameters import Chains, Ensemble, Majority, Member
from domain.module.values import ModuleKind, ModuleSpec
from infrastructure.dspy_runtime.kinds.building import Built, Place, deprecated, settings
from infrastructure.dspy_runtime.kinds.plain import asked_once


class MultiChainComparison(dspy.MultiChainComparison):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.MultiChainComparison``, which says fields in a way that DSPy gives up."""

    def __init__(self, signature: Any, M: int, **settings: Any) -> None:  # noqa: N803 DSPy's name
        with deprecated():
            super().__init__(signature, M=M, **settings)


class ComparedChains(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """Several chains of thought, and ``dspy.MultiChainComparison`` of them."""

    def __init__(self, chain: dspy.Module, compare: dspy.Module) -> None:
        super().__init__()
        self.chain, self.compare = chain, compare

    def forward(self, **inputs: Any) -> dspy.Prediction:
        chains = [self.chain(**inputs, config=rollout(n)) for n in range(self.compare.M)]
        return self.compare(chains, **inputs)


class MajorityVote(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """The answer that most of *n* attempts gave to *field*."""

    def __init__(self, module: dspy.Module, n: int, field: str) -> None:
        super().__init__()
        self.module, self.n, self.field = module, n, field

    def forward(self, **inputs: Any) -> dspy.Prediction:
        asked = [partial(self.module, **inputs, config=rollout(n)) for n in range(self.n)]
        return majority_of(_answers(asked), self.field)


class EnsembleOf(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """Members with one question: the *size* of them that the inputs choose answer it."""

    def __init__(
        self, members: Sequence[dspy.Module], size: int | None, reduce: str, field: str
    ) -> None:
        super().__init__()
        self.members = list(members)
        self.size, self.reduce, self.field = size, reduce, field

    def forward(self, **inputs: Any) -> dspy.Prediction:
        chosen = drawn(len(self.members), self.size, inputs)
        answers = _answers([partial(self._asked, n, inputs) for n in chosen])
        if self.reduce == "majority":
            return majority_of(answers, self.field)
        mean = sum(float(each[self.field]) for each in answers) / len(answers)
        return dspy.Prediction(**{**dict(answers[0].items()), self.field: mean})

    def _asked(self, number: int, inputs: dict[str, Any]) -> dspy.Prediction:
        member = self.members[number]
        (predictor,) = member.predictors()
        # Two members may be alike; at temperature 0 they may as well share an answer.
        config = rollout(number) if predictor.config["temperature"] else {}
        return member(**inputs, config=config)


def comparison(place: Place, spec: ModuleSpec) -> Built:
    """``ComparedChains`` of *spec*."""
    compared = spec.parameters
    assert isinstance(compared, Chains)
    chain = asked_once(place, ModuleKind.CHAIN_OF_THOUGHT, spec.signature, spec.config)
    compare = (
        f"MultiChainComparison({place.named('signature')}, M={compared.chains!r}, "
        f"{settings(spec.config)})"
    )
    return Built(
        f"ComparedChains({chain.constructor}, {compare})",
        {
            **chain.names,
            "ComparedChains": ComparedChains,
            "MultiChainComparison": MultiChainComparison,
        },
    )


def majority(place: Place, spec: ModuleSpec) -> Built:
    """``MajorityVote`` of *spec*."""
    vote = spec.parameters
    assert isinstance(vote, Majority)
    inner = asked_once(place, vote.of, spec.signature, spec.config)
    field = voted_on(spec.signature, vote.field).name
    return Built(
        f"MajorityVote({inner.constructor}, n={vote.n!r}, field={field!r})",
        {**inner.names, "MajorityVote": MajorityVote},
    )


def ensemble(place: Place, spec: ModuleSpec) -> Built:
    """``EnsembleOf`` the members of *spec*."""
    parts = spec.parameters
    assert isinstance(parts, Ensemble)
    members = [_member(place, spec, each, n) for n, each in enumerate(parts.members, 1)]
    constructors = ", ".join(each.constructor for each in members)
    names = {name: it for each in members for name, it in each.names.items()}
    field = voted_on(spec.signature, parts.field).name
    return Built(
        f"EnsembleOf([{constructors}], size={parts.size!r}, reduce={parts.reduce!r}, "
        f"field={field!r})",
        {**names, "EnsembleOf": EnsembleOf},
    )


def _member(place: Place, spec: ModuleSpec, member: Member, number: int) -> Built:
    said = {
        "temperature": member.temperature,
        "max_tokens": member.max_tokens,
    }
    config = spec.config.model_copy(update={k: v for k, v in said.items() if v is not None})
    instructions = member.instructions or spec.signature.instructions
    signature = spec.signature.model_copy(update={"instructions": instructions})
    return asked_once(place, member.kind, signature, config, f"signature_{number}")


def rollout(number: int) -> dict[str, int]:
    """The settings that make attempt *number* another call than those before it."""
    outer = dspy.settings.lm.kwargs.get("rollout_id") or 0
    return {"rollout_id": outer * 1000 + number}


def drawn(members: int, size: int | None, inputs: dict[str, Any]) -> list[int]:
    """Which of *members* are asked: all, or *size* that the *inputs* choose, in their order."""
    asked = to_json(inputs, fallback=str)
    text = json.dumps(json.loads(asked), sort_keys=True)

    def key(number: int) -> str:
        return hashlib.sha256(f"{number}:{text}".encode()).hexdigest()

    return sorted(sorted(range(members), key=key)[:size])


def majority_of(answers: Sequence[dspy.Prediction], field: str) -> dspy.Prediction:
    """The first of *answers* with the value of *field* that most of them have.

    Texts are compared without regard to case, articles, punctuation and white space.
    """
    values = [_compared(each[field]) for each in answers]
    winner, _ = Counter(values).most_common(1)[0]
    return answers[values.index(winner)]


def _answers(asked: Sequence[Callable[[], dspy.Prediction]]) -> list[dspy.Prediction]:
    """All answers that could be read; with none, the last refusal."""
    answers: list[dspy.Prediction] = []
    refused: AdapterParseError | None = None
    for ask in asked:
        try:
            answers.append(ask())
        except AdapterParseError as error:
            refused = error
    if not answers and refused is not None:
        raise refused
    return answers


def _compared(value: Any) -> str:
    if isinstance(value, str):
        return dspy.evaluate.normalize_text(value) or value
    return to_json(value, fallback=str).decode()
