"""Several attempts: each is another call, and the best or the most frequent one is taken."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import dspy
import pytest
from dspy import lm15
from pydantic import JsonValue, TypeAdapter

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.module.rewards import Reward
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.graph import single
from domain.program.rules import check
from domain.signature.fields import SignatureSpec
from domain.signature.types import STRING, Primitive
from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.kinds.rewards import reward_function
from infrastructure.dspy_runtime.kinds.voting import drawn, majority_of
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.answers import answer_text
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, spec
from tests.support.handwritten import as_data

WORDS = spec("question", {"answer": STRING})
NUMBERS = spec("question", {"answer": Primitive(name="float")})
UNREADABLE = "no fields here"


class Saying(FakeEngine):
    """Says one of *answers* after the other, however it is asked."""

    def __init__(self, *answers: JsonValue) -> None:
        super().__init__()
        self._answers, self._number = answers, count()

    def answer(self, request: lm15.Request) -> str:
        said = self._answers[next(self._number) % len(self._answers)]
        if said == UNREADABLE:
            return UNREADABLE
        given: Mapping[str, JsonValue] = {"answer": said, "reasoning": f"because of {said}"}
        return answer_text(request.messages[-1].text or "", given, seed="0a" * 32)


def program(kind: str, signature: SignatureSpec = WORDS, **said: Any) -> RunnableProgram:
    config = DEFAULTS[ModuleKind(kind)].model_copy(update=said.pop("config", {}))
    module = ModuleSpec.model_validate(
        {"kind": kind, "signature": signature, "config": config, "parameters": said or None}
    )
    return RunnableProgram(f"{kind}@1", check(single(module, node_id="solve")), None)


def asked(
    wanted: RunnableProgram, *answers: JsonValue, journal: MemoryJournal | None = None
) -> tuple[Any, MemoryJournal]:
    kept = journal or MemoryJournal()
    runner = DspyRunner(bound(Saying(*answers)))
    outputs = runner.run(wanted, {"question": "Which?"}, kept, live=True)
    return outputs["answer"], kept


def rollouts(journal: MemoryJournal) -> list[int | None]:
    return [call.rollout_id for call in journal.calls]


def test_the_majority_is_what_most_attempts_say_whatever_the_case() -> None:
    answer, journal = asked(program("majority"), "Rome", "the Paris", "paris.", "Rome", "Paris")
    assert answer == "the Paris"
    assert rollouts(journal) == [0, 1, 2, 3, 4]
    assert len({call.key for call in journal.calls}) == 5


def test_of_equally_frequent_answers_the_first_one_wins() -> None:
    assert asked(program("majority", n=4), "b", "a", "a", "b")[0] == "b"
    assert asked(program("majority", NUMBERS, n=3), 2, 1, 1)[0] == 1


def test_what_cannot_be_read_has_no_vote() -> None:
    answer, journal = asked(program("majority", n=3), UNREADABLE, UNREADABLE, "b", "c")
    assert answer == "b"
    assert len(journal.calls) == 4  # what cannot be read is asked for again, as JSON
    with pytest.raises(ProgramFailed) as failed:
        asked(program("majority", n=2), UNREADABLE)
    assert failed.value.failure.code == "output.unparseable"


@pytest.mark.parametrize("kind", ["majority", "ensemble", "multi_chain_comparison", "best_of_n"])
def test_attempts_are_replayed_exactly(kind: str) -> None:
    first, journal = asked(program(kind), "a", "b", "b")
    runner = DspyRunner(bound(Saying("never asked")))
    again = runner.run(program(kind), {"question": "Which?"}, journal, live=False)
    assert again["answer"] == first


def test_an_ensemble_asks_each_member_in_its_own_words() -> None:
    members = [
        {"kind": "predict", "instructions": "Be brief.", "temperature": 0.1, "max_tokens": 9},
        {"kind": "predict"},
    ]
    _, journal = asked(program("ensemble", members=members), "a")
    brief, plain = journal.requests
    assert isinstance(brief, dict)
    assert isinstance(plain, dict)
    assert brief["config"] == {"max_tokens": 9, "temperature": 0.1}
    assert plain["config"] == {"max_tokens": 1500, "temperature": 0.7}
    assert "Be brief." in str(brief["system"])
    assert "Be brief." not in str(plain["system"])


def test_alike_members_give_answers_of_their_own_unless_they_are_certain() -> None:
    warm = [{"kind": "predict"}] * 3
    _, journal = asked(program("ensemble", members=warm), "a", "b", "c")
    assert rollouts(journal) == [0, 1, 2]
    cold = [{"kind": "predict", "temperature": 0.0}] * 3
    _, journal = asked(program("ensemble", members=cold), "a", "b", "c")
    assert rollouts(journal) == [None]


def test_the_mean_of_an_ensemble_is_that_of_its_numbers() -> None:
    wanted = program("ensemble", NUMBERS, members=[{"kind": "predict"}] * 2, reduce="mean")
    assert asked(wanted, 1, 2)[0] == 1.5


def test_who_is_asked_depends_on_the_inputs_alone() -> None:
    chosen = {tuple(drawn(5, 2, {"question": f"{number}"})) for number in range(50)}
    assert len(chosen) > 5
    assert drawn(5, 2, {"a": "1", "b": "2"}) == drawn(5, 2, {"b": "2", "a": "1"})
    assert all(a < b for a, b in chosen)
    assert drawn(3, None, {}) == [0, 1, 2]
    _, journal = asked(program("ensemble", size=1), "a")
    assert len(journal.calls) == 1


def test_every_member_of_an_ensemble_can_be_changed_by_an_optimizer() -> None:
    built = build(program("ensemble"))
    assert [path for path, _ in built.named_predictors()] == [
        "solve.members[0]",
        "solve.members[1].predict",
    ]


EQUALS = {"kind": "equals", "field": "answer", "value": "right"}


@pytest.mark.parametrize("kind", ["best_of_n", "refine"])
def test_the_first_attempt_that_is_good_enough_is_taken(kind: str) -> None:
    wanted = program(kind, reward=EQUALS, of="predict")
    answer, journal = asked(wanted, "right", "wrong")
    assert (answer, len(journal.calls)) == ("right", 1)
    assert rollouts(journal) == [0]


def test_the_best_of_bad_attempts_is_taken() -> None:
    reward = {"kind": "number", "field": "answer"}
    answer, journal = asked(program("best_of_n", NUMBERS, reward=reward, threshold=9), 1, 3, 2)
    assert (answer, len(journal.calls)) == (3.0, 3)


@pytest.mark.parametrize("kind", ["best_of_n", "refine"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_attempts_of_which_none_can_be_read_fail_however_often(
    kind: str, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = program(kind, n=n)
    runner = DspyRunner(bound(Saying(UNREADABLE)))
    for _ in range(3):  # DSPy counts failures on the module, and soon gives up at once
        with pytest.raises(ProgramFailed) as failed:
            runner.run(wanted, {"question": "Which?"}, MemoryJournal(), live=True)
        assert failed.value.failure.code == "output.unparseable"
    assert capsys.readouterr().out == ""


def prediction(**outputs: Any) -> dspy.Prediction:
    return dspy.Prediction(**outputs)


@pytest.mark.parametrize(
    ("said", "outputs", "reward"),
    [
        ({"kind": "number", "field": "x"}, {"x": 0.25}, 0.25),
        ({"kind": "number", "field": "x"}, {"x": True}, 1.0),
        ({"kind": "equals", "field": "x", "value": {"a": [1]}}, {"x": {"a": [1]}}, 1.0),
        ({"kind": "equals", "field": "x", "value": "a"}, {"x": "b"}, 0.0),
        ({"kind": "contains", "field": "x", "text": "PARIS"}, {"x": "in Paris."}, 1.0),
        ({"kind": "contains", "field": "x", "text": "'); import os #"}, {"x": "in"}, 0.0),
        ({"kind": "words", "field": "x", "at_least": 2, "at_most": 3}, {"x": "one two"}, 1.0),
        ({"kind": "words", "field": "x", "at_most": 1}, {"x": "one two"}, 0.0),
        ({"kind": "equals", "field": "labels", "value": "a"}, {"labels": "a"}, 1.0),
        ({"kind": "valid"}, {"x": "text"}, 1.0),
        ({"kind": "valid"}, {"x": 3}, 0.0),
        ({"kind": "valid"}, {}, 0.0),
    ],
)
def test_a_reward_is_what_it_says(
    said: dict[str, Any], outputs: dict[str, Any], reward: float
) -> None:
    read = TypeAdapter[Any](Reward).validate_python(said)
    judge = reward_function("judge", read, spec("question", {"x": STRING}))
    assert judge({}, prediction(**outputs)) == reward


def test_votes_are_on_the_field_that_was_named() -> None:
    answers: Sequence[dspy.Prediction] = [
        prediction(a="x", b="1"),
        prediction(a="y", b="2"),
        prediction(a="z", b="2"),
    ]
    assert majority_of(answers, "b").a == "y"
    assert as_data("majority", field="answer").graph.nodes[0].id == "solve"
