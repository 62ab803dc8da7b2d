"""A circuit opens after five failures in a row, and one call that is answered closes it."""

import threading
from contextlib import suppress
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.circuits import (
    FAILURES,
    LONGEST_S,
    Circuit,
    CircuitIsOpen,
    CircuitState,
    Sign,
)
from application.turns import seconds_to_wait

MODEL = "fake/model"


class Told(Exception):
    """What went wrong, with what that says of the model."""

    def __init__(self, sign: Sign) -> None:
        self.sign = sign


def sign_of(error: Exception) -> Sign:
    assert isinstance(error, Told)
    return error.sign


class World:
    """A circuit, and a clock that only tests move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.circuit = Circuit(lambda: self.now)

    def call(self, *signs: Sign) -> None:
        """Calls, one after the other, that end with *signs*."""
        for sign in signs:
            with suppress(Told), self.circuit.call(MODEL, sign_of):
                if sign is not Sign.ANSWERED:
                    raise Told(sign)

    def fail(self, times: int = FAILURES) -> None:
        self.call(*repeat(Sign.FAILED, times))

    def refused(self) -> CircuitIsOpen:
        with pytest.raises(CircuitIsOpen) as refused:
            self.call(Sign.ANSWERED)
        return refused.value


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.feature("LMP-24")
def test_lmp_24_five_failures_in_a_row_open_the_circuit_at_once(world: World) -> None:
    world.fail(4)
    assert world.circuit.state is CircuitState.CLOSED
    world.circuit.check(MODEL)
    world.fail(1)
    assert world.circuit.state is CircuitState.OPEN
    with pytest.raises(CircuitIsOpen):
        world.circuit.check(MODEL)
    refused = world.refused()
    assert refused.failure.code == "model.circuit_open"
    assert refused.failure.retryable
    assert refused.failure.message == (
        "No call was made: fake/model failed 5 times in a row. Try again in 2 s."
    )
    assert seconds_to_wait(refused.failure) == 2
    assert refused.retry_after == 1.0


@pytest.mark.feature("LMP-24")
def test_lmp_24_one_answer_between_them_and_they_are_not_in_a_row(world: World) -> None:
    world.call(*[Sign.FAILED] * 4, Sign.ANSWERED, *[Sign.FAILED] * 4)
    assert world.circuit.state is CircuitState.CLOSED


def test_what_says_nothing_of_the_model_neither_counts_nor_begins_anew(world: World) -> None:
    world.call(*chain.from_iterable(zip([Sign.FAILED] * 4, [Sign.NOTHING] * 4, strict=True)))
    assert world.circuit.state is CircuitState.CLOSED
    world.fail(1)
    assert world.circuit.state is CircuitState.OPEN


@pytest.mark.feature("LMP-24")
def test_lmp_24_one_probe_that_is_answered_closes_it(world: World) -> None:
    world.fail()
    world.now += 1
    assert world.circuit.state is CircuitState.HALF_OPEN
    world.call(Sign.ANSWERED)
    assert world.circuit.state is CircuitState.CLOSED
    world.fail(4)
    world.call(Sign.ANSWERED)


@pytest.mark.feature("LMP-24")
def test_lmp_24_while_one_probe_is_under_way_no_other_call_goes_through(world: World) -> None:
    world.fail()
    world.now += 1
    with world.circuit.call(MODEL, sign_of):
        assert world.circuit.state is CircuitState.HALF_OPEN
        assert world.refused().retry_after == 0
        assert seconds_to_wait(world.refused().failure) == 1
    world.call(Sign.ANSWERED)


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_probe_that_fails_opens_it_for_twice_as_long_up_to_half_a_minute(
    world: World,
) -> None:
    world.fail()
    waits = list[float]()
    for _ in range(7):
        waits.append(world.refused().retry_after)
        world.now += waits[-1]
        world.fail(1)
    assert waits == [1, 2, 4, 8, 16, LONGEST_S, LONGEST_S]
    world.now += LONGEST_S
    world.call(Sign.ANSWERED)
    world.fail()
    assert world.refused().retry_after == 1


def test_a_probe_that_says_nothing_leaves_the_place_to_the_next_call(world: World) -> None:
    world.fail()
    world.now += 1
    world.call(Sign.NOTHING)
    assert world.circuit.state is CircuitState.HALF_OPEN
    with pytest.raises(KeyboardInterrupt), world.circuit.call(MODEL, sign_of):
        raise KeyboardInterrupt
    world.call(Sign.ANSWERED)
    assert world.circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("end", [Sign.ANSWERED, Sign.FAILED])
def test_a_call_that_began_before_it_opened_changes_nothing(world: World, end: Sign) -> None:
    with suppress(Told), world.circuit.call(MODEL, sign_of):
        world.fail()
        if end is not Sign.ANSWERED:
            raise Told(end)
    assert world.refused().retry_after == 1


@given(st.lists(st.sampled_from(Sign), max_size=40))
def test_it_is_open_if_and_only_if_five_failed_and_none_was_answered_since(
    signs: list[Sign],
) -> None:
    world, in_a_row = World(), 0
    for sign in signs:
        world.call(sign)
        in_a_row = {Sign.FAILED: in_a_row + 1, Sign.ANSWERED: 0, Sign.NOTHING: in_a_row}[sign]
        assert (world.circuit.state is CircuitState.OPEN) == (in_a_row == FAILURES)
        if in_a_row == FAILURES:
            return


def test_of_many_threads_one_is_the_probe(world: World) -> None:
    world.fail()
    world.now += 1
    at_once, let_through, refused = threading.Barrier(8), list[int](), list[int]()
    decided = threading.Event()

    def ask(number: int) -> None:
        at_once.wait(10)
        try:
            with world.circuit.call(MODEL, sign_of):
                let_through.append(number)
                decided.wait(10)
        except CircuitIsOpen:
            refused.append(number)
            if len(refused) == 7:
                decided.set()

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(let_through), len(refused)) == (1, 7)
    assert world.circuit.state is CircuitState.CLOSED
