"""What a route saves: easy sums go to a small model, hard ones to the best, by their size alone."""

import random
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import pytest
from dspy import lm15

from application.context import within
from application.lm_ports import ModelChoice
from domain.routing import Candidate, Strategy
from domain.signature.types import STRING
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.models.answers import answer_text
from infrastructure.models.binding import ModelBinding
from tests.support.dspy_programs import single, spec
from tests.support.routed_world import RoutedWorld
from tests.support.run_world import CONTEXT


class Sum(NamedTuple):
    """A sum to add up; long ones are hard."""

    text: str
    total: int


def sums(count: int) -> Sequence[Sum]:
    """Sums of two to twenty numbers, most of them short, as a help desk of sums might get them."""
    chance = random.Random(20)
    made: list[Sum] = []
    for _ in range(count):
        terms = (
            chance.choice((2, 3, 3, 4, 4, 5)) if chance.random() < 0.7 else chance.randint(6, 20)
        )
        numbers = [chance.randint(1, 10 ** chance.randint(1, 3)) for _ in range(terms)]
        made.append(Sum(" + ".join(map(str, numbers)), sum(numbers)))
    return made


class Adder:
    """A model that adds the first ``reach`` numbers up, and so errs where there are more."""

    seeded = False
    supports_response_schema = False
    supported_params: frozenset[str] = frozenset()

    def __init__(self, reach: int) -> None:
        self.reach = reach

    def complete(self, request: lm15.Request) -> lm15.Response:
        last = "".join(part.text for part in request.messages[-1].parts if part.type == "text")
        found = re.search(r"## question ## \]\]\s*([0-9 +]+)", last)
        assert found is not None, last
        numbers = [int(each) for each in found[1].split("+")][: self.reach]
        text = answer_text(last, {"answer": str(sum(numbers))}, seed="0")
        return lm15.Response(
            id="sum",
            model=request.model,
            message=lm15.Message.assistant(text),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=len(last) // 4, output_tokens=len(text) // 4),
        )

    def close(self) -> None:
        """Nothing is held open."""


def adding(choice: ModelChoice) -> ModelBinding:
    """The best adder adds up to 18 numbers, the small one 5."""
    reach = 18 if choice.name == "openai/large" else 5
    return ModelBinding(Adder(reach), choice.name, "chat", lambda _: None, 1)


def worth(world: RoutedWorld, asked: Sequence[Sum], model: str) -> tuple[Decimal, float]:
    """What it costs to have *model* add all of them up, by the price book, and the share right."""
    costs, right = Decimal(0), 0
    for each in asked:
        run = world.run(model, question=each.text)
        execution = world.executions.get(run)
        assert execution.spend.cost_usd is not None
        assert execution.outputs is not None
        costs += execution.spend.cost_usd
        right += world.payloads.get(execution.outputs) == {"answer": str(each.total)}
    return costs, right / len(asked)


@pytest.mark.feature("CST-04")
@pytest.mark.feature("SUC-05")
def test_cst_04_easy_inputs_on_a_small_model_save_a_fifth_and_lose_two_points_at_most() -> None:
    """Of 200 sums those of 40 bytes or less go to a model at a 17th of the price."""
    world = RoutedWorld()
    engine = DspyEngine(adding)
    world.bus = world.bus_with(engine)
    world.program = world.a_program(single(spec("question", {"answer": STRING})).graph)
    models = [{"name": "small"}, {"name": "large"}]
    world.register(name="gpt", kind="openai", secret="env:OPENAI_API_KEY", models=models)
    for model, usd in (("openai/small", "0.15"), ("openai/large", "2.50")):
        world.price(model, usd)
    small = Candidate(model="gpt/small", input_size_max=40)
    world.route(Strategy.FALLBACK, small, "gpt/large")
    asked = sums(200)
    with within(CONTEXT):
        best_usd, best = worth(world, asked, "gpt/large")
        routed_usd, routed = worth(world, asked, "route:ours")
        small_usd, alone = worth(world, asked, "gpt/small")
    saved = 1 - routed_usd / best_usd
    told = (
        f"best: {best_usd} USD, {best:.3f} right; by the route: {routed_usd} USD, {routed:.3f}"
        f" right, {saved:.1%} saved; the small one alone: {small_usd} USD, {alone:.3f} right"
    )
    assert saved >= Decimal("0.20"), told
    assert best - routed <= 0.02, told
    assert best < 1, "the best model errs, too"
    assert best - alone > 0.1, "the small one alone would not do"
