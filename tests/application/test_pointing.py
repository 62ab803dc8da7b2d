"""Faults of a part, told to whoever sent the whole."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from application.pointing import at, beneath
from domain.errors import Fault, InvalidError

Pointing = Callable[[str], AbstractContextManager[None]]


def test_faults_lie_beneath_the_part() -> None:
    with pytest.raises(InvalidError) as refused, beneath("/spec"):
        raise InvalidError("Broken.", [Fault("/name", "x", "m"), Fault("", "y", "m")])
    assert [fault.pointer for fault in refused.value.faults] == ["/spec/name", "/spec"]


def test_faults_of_a_text_lie_at_the_text() -> None:
    with pytest.raises(InvalidError) as refused, at("/syntax"):
        raise InvalidError("Broken.", [Fault("/inputs/0", "x", "m")])
    assert [fault.pointer for fault in refused.value.faults] == ["/syntax"]


@pytest.mark.parametrize("told", [at, beneath])
def test_a_refusal_without_faults_becomes_one(told: Pointing) -> None:
    with pytest.raises(InvalidError) as refused, told("/part"):
        raise InvalidError("Broken.")
    assert refused.value.faults == (Fault("/part", "invalid", "Broken."),)


@pytest.mark.parametrize("told", [at, beneath])
def test_a_sound_part_passes(told: Pointing) -> None:
    with told("/part"):
        pass
