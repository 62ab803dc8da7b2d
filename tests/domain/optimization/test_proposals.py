"""What an optimization found, and somebody has to approve."""

from uuid import uuid4

import pytest

from domain.optimization.aggregate import Optimization
from domain.optimization.errors import NothingIsProposed, ProposalIsDecided
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationRejected,
    OptimizationRequested,
)
from domain.optimization.values import Adoption, HeldOut
from tests.support.memory import NOW
from tests.support.runs import ref

HELDOUT = HeldOut(rows=9, baseline=0.5, score=0.75)


def running(adopt: Adoption) -> Optimization:
    wish = OptimizationRequested(
        program_id=uuid4(),
        program_version=1,
        optimizer="copro",
        config={},
        dataset_id=uuid4(),
        dataset_rows=20,
        metric="f1_score",
        seed=9,
        dataset_version=2,
        adopt=adopt,
    )
    it = Optimization.request(uuid4(), wish, at=NOW)
    it.start("w", {"dspy": "3.4.1"}, at=NOW)
    return it


def completed(adopt: Adoption = Adoption.APPROVAL) -> Optimization:
    it = running(adopt)
    it.complete(ref("state"), training_score=0.9, duration_ms=5, heldout=HELDOUT, at=NOW)
    it.collect()
    return it


@pytest.mark.feature("PRG-20")
def test_prg_20_a_result_becomes_a_version_only_once_it_is_approved() -> None:
    it = completed()
    assert (it.proposal, it.may_become_a_version) == ("open", False)
    it.approve("it is better", at=NOW)
    it.approve("it is better", at=NOW)
    assert [each.event for each in it.collect()] == [OptimizationApproved(reason="it is better")]
    assert (it.proposal, it.may_become_a_version) == ("approved", True)
    with pytest.raises(ProposalIsDecided, match="was approved already"):
        it.reject("no", at=NOW)


@pytest.mark.feature("PRG-20")
def test_prg_20_what_was_rejected_stays_rejected() -> None:
    it = completed()
    it.reject("it is worse", at=NOW)
    it.reject("it is worse", at=NOW)
    assert [each.event for each in it.collect()] == [OptimizationRejected(reason="it is worse")]
    assert (it.proposal, it.may_become_a_version) == ("rejected", False)
    with pytest.raises(ProposalIsDecided, match="was rejected already"):
        it.approve("yes", at=NOW)


def test_nobody_approves_what_becomes_a_version_by_itself() -> None:
    it = completed(Adoption.AUTO)
    assert (it.proposal, it.may_become_a_version) == (None, True)
    with pytest.raises(NothingIsProposed, match="by itself"):
        it.approve("yes", at=NOW)


def test_nobody_decides_about_what_is_not_there_yet() -> None:
    it = running(Adoption.APPROVAL)
    assert not it.may_become_a_version
    with pytest.raises(NothingIsProposed, match="it is running"):
        it.reject("no", at=NOW)
