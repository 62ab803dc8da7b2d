"""The scenario that aggregates are tested with cannot be ended by forgetting."""

import pytest

from domain.signature.aggregate import Signature
from domain.signature.errors import SignatureIsRetired
from domain.signature.events import SignatureRetired
from tests.support.scenario import NOW, told


def test_a_scenario_without_its_then_fails() -> None:
    fixture = told(Signature)
    next(fixture).given(SignatureRetired(reason="old")).when(lambda it: it.id)
    with pytest.raises(AssertionError, match=r"ends without then"):
        next(fixture, None)


def test_a_scenario_with_its_then_passes() -> None:
    fixture = told(Signature)
    next(fixture).given(SignatureRetired(reason="old")).when(lambda it: it.id).then()
    assert next(fixture, None) is None


def test_a_then_without_its_when_fails() -> None:
    with pytest.raises(AssertionError, match=r"when\(\) comes before"):
        next(told(Signature)).given(SignatureRetired(reason="old")).then()


def test_an_expected_refusal_that_does_not_come_fails() -> None:
    scenario = next(told(Signature)).given().when(lambda it: it.retire("old", at=NOW))
    with pytest.raises(AssertionError, match="Expected SignatureIsRetired"):
        scenario.then_refused(SignatureIsRetired)
