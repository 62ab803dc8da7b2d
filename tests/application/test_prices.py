"""The price book: who sets it, and what calls are billed by it."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from application.context import Context, within
from application.datasets import CreateDataset, LoadRows
from application.evaluations import RequestEvaluation, RunEvaluation
from application.executions import RequestExecution, RunExecution
from application.fresh import FRESH_S
from application.prices import SetPrice, WithdrawPrice
from application.pricing import NO_PRICES, RememberedPrices, billed, price_id
from domain.dataset.values import Split
from domain.evaluation.events import EvaluationLmCalled
from domain.execution.events import ExecutionCompleted, ExecutionLmCalled
from domain.price.errors import ModelHasNoPrice
from domain.price.events import PriceSet, PriceWithdrawn
from domain.price.values import Rates
from domain.values import LmUsage
from tests.support.access import EVERY_ROLE
from tests.support.memory import NOW
from tests.support.prices import CHEAP, RATES
from tests.support.run_world import CONTEXT, World
from tests.support.runs import answered

MODEL = "scripted"
BILLED = Decimal("0.00000195")
"""5 tokens in at 0.15, 2 out at 0.6."""
OTHER = Context(tenant="other", actor="eve", correlation_id=uuid4(), roles=EVERY_ROLE)


@pytest.fixture
def world() -> World:
    found = World()
    found.runner.asks = ["first"]
    return found


def priced(world: World, rates: Rates = CHEAP, *, days: float | None = None) -> UUID:
    since = None if days is None else NOW + timedelta(days=days)
    return world.do(SetPrice(model=MODEL, rates=rates, valid_from=since)).id


def ran(world: World) -> UUID:
    execution_id, inputs = uuid4(), {"message": "It crashes."}
    world.do(
        RequestExecution(execution_id=execution_id, program_id=world.a_program(), inputs=inputs)
    )
    world.do(RunExecution(execution_id=execution_id))
    return execution_id


def costs(world: World, id: UUID) -> list[Decimal | None]:
    """What the calls of a run were billed, and then what the run says it cost."""
    called = ExecutionLmCalled | EvaluationLmCalled
    events = world.events(id)
    told = [each.call.cost_usd for each in events if isinstance(each, called)]
    return told + [e.spend.cost_usd for e in events if isinstance(e, ExecutionCompleted)]


def test_without_a_price_a_call_is_billed_as_its_provider_charges(world: World) -> None:
    assert costs(world, ran(world)) == [Decimal("0.001")] * 2
    with within(CONTEXT):
        assert world.prices.rates(MODEL, NOW) is None
    NO_PRICES.changed()
    assert NO_PRICES.rates(MODEL, NOW) is None


def test_the_price_in_the_book_is_what_a_call_is_billed(world: World) -> None:
    priced(world)
    assert costs(world, ran(world)) == [BILLED] * 2


def test_every_run_is_billed_by_the_book(world: World) -> None:
    priced(world)
    evaluation_id, dataset_id = uuid4(), uuid4()
    rows = ({"message": "It crashes.", "queue": "bug"},)
    world.do(CreateDataset(dataset_id=dataset_id, name="tickets"))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.HELDOUT, rows=rows))
    world.do(
        RequestEvaluation(
            evaluation_id=evaluation_id,
            program_id=world.a_program(),
            dataset_id=dataset_id,
            metric="exact_match",
        )
    )
    world.do(RunEvaluation(evaluation_id=evaluation_id))
    assert set(costs(world, evaluation_id)) == {BILLED}


@pytest.mark.feature("CST-02")
def test_cst_02_a_price_change_counts_from_its_moment(world: World) -> None:
    priced(world)
    dear = Rates(input_usd=Decimal(10), output_usd=Decimal(10))
    priced(world, dear, days=15)
    world.clock.at = NOW + timedelta(days=15, microseconds=-1)
    assert costs(world, ran(world)) == [BILLED] * 2
    world.clock.at = NOW + timedelta(days=15)
    assert costs(world, ran(world)) == [Decimal("0.00007")] * 2


def test_a_price_that_was_withdrawn_bills_nothing_more(world: World) -> None:
    price = priced(world)
    world.clock.advance(60)
    world.do(WithdrawPrice(model=MODEL, reason="The contract ended."))
    assert costs(world, ran(world)) == [Decimal("0.001")] * 2
    kinds = [type(each) for each in world.events(price)]
    assert kinds == [PriceSet, PriceWithdrawn]
    with pytest.raises(ModelHasNoPrice, match="No price of openai/gpt"):
        world.do(WithdrawPrice(model="openai/gpt"))


def test_what_was_billed_stays_billed(world: World) -> None:
    priced(world)
    before = ran(world)
    priced(world, RATES, days=-30)
    assert costs(world, before) == [BILLED] * 2


@pytest.mark.feature("CST-05")
def test_cst_05_a_call_of_unknown_usage_costs_nobody_knows_what(world: World) -> None:
    priced(world)
    call = answered("first")[0].model_copy(update={"usage": LmUsage(prompt_tokens=5)})
    with within(CONTEXT):
        assert billed(call, world.prices, at=NOW).cost_usd is None


def test_a_price_is_set_again_for_the_same_model_and_other_moments(world: World) -> None:
    first = priced(world)
    assert priced(world, RATES, days=1) == first
    assert world.do(SetPrice(model=MODEL, rates=CHEAP)).position == 0
    with within(CONTEXT):
        assert price_id(MODEL) == first != price_id("another")


def test_prices_of_one_tenant_bill_no_other(world: World) -> None:
    priced(world)
    with within(OTHER):
        assert world.prices.rates(MODEL, NOW) is None
        assert price_id(MODEL) != priced(world)


def test_the_book_is_read_at_most_once_a_second(world: World) -> None:
    priced(world)
    reads, now_s = list[UUID](), 0.0

    class Counted(type(world.book)):  # type: ignore[misc]  # the class of a fake
        def get(self, id: UUID, *, version: int | None = None) -> object:
            reads.append(id)
            return super().get(id, version=version)

    book = RememberedPrices(Counted(world.book.kind, world.log), lambda: now_s)
    with within(CONTEXT):
        for _ in range(100):
            assert book.rates(MODEL, NOW) == CHEAP
        assert len(reads) == 1
        now_s = FRESH_S - 0.001
        priced(world, RATES)
        assert book.rates(MODEL, NOW) == CHEAP
        now_s = FRESH_S
        assert book.rates(MODEL, NOW) == RATES
        book.changed()
        assert book.rates(MODEL, NOW) == RATES
    assert len(reads) == 3
