"""What was read a moment ago is not read again, and never outlives a change that was made here."""

from collections.abc import Callable

import pytest

from application.fresh import FRESH_S, Fresh


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Counts how often it is read, and gives that number."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> int:
        self.reads += 1
        return self.reads


def test_what_is_read_counts_from_when_the_reading_began() -> None:
    clock, source = Clock(), Source()
    fresh = Fresh[int](clock)

    def slowly() -> int:
        clock.now_s += 0.4
        return source()

    assert fresh.get("a", slowly) == 1
    clock.now_s = FRESH_S - 0.001
    assert fresh.get("a", source) == 1
    clock.now_s = FRESH_S
    assert fresh.get("a", source) == 2


def test_nothing_is_something_that_was_read_too() -> None:
    fresh, reads = Fresh[None](Clock()), list[str]()
    for _ in range(2):
        fresh.get("a", lambda: reads.append("read"))
    assert reads == ["read"]


def test_a_key_or_all_can_be_forgotten() -> None:
    fresh, source = Fresh[int](Clock()), Source()
    assert (fresh.get("a", source), fresh.get("b", source)) == (1, 2)
    fresh.forget("a")
    fresh.forget("never read")
    assert (fresh.get("a", source), fresh.get("b", source)) == (3, 2)
    fresh.forget_all()
    assert (fresh.get("a", source), fresh.get("b", source)) == (4, 5)


@pytest.mark.parametrize("forget", [lambda it: it.forget("a"), lambda it: it.forget_all()])
def test_what_was_read_before_a_change_is_not_kept_after_it(
    forget: Callable[[Fresh[int]], None],
) -> None:
    fresh, source = Fresh[int](Clock()), Source()

    def while_it_changes() -> int:
        found = source()
        forget(fresh)
        return found

    assert fresh.get("a", while_it_changes) == 1
    assert fresh.get("a", source) == 2


def test_of_very_many_keys_the_last_ones_are_kept() -> None:
    fresh, source = Fresh[int](Clock()), Source()
    for key in range(1001):
        fresh.get(key, source)
    assert fresh.get(1000, source) == 1001
    assert fresh.get(0, source) == 1002
