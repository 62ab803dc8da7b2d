"""The life of a signature: defined, revised, retired."""

from collections.abc import Iterator

import pytest

from domain.signature.aggregate import Signature
from domain.signature.errors import InvalidSignature, SignatureIsInUse, SignatureIsRetired
from domain.signature.events import SignatureDefined, SignatureRetired, SignatureRevised
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.syntax import parse
from domain.signature.types import STRING, OptionalOf
from tests.support.scenario import NOW, Scenario, told

QA = parse("question -> answer")
SURE_QA = parse("question -> answer, confidence: probability")
DEFINED = SignatureDefined(name="qa", spec=QA, content_hash=content_hash(QA))
REVISED = SignatureRevised(revision=2, spec=SURE_QA, content_hash=content_hash(SURE_QA))
RETIRED = SignatureRetired(reason="superseded")
BROKEN = SignatureSpec(inputs=(FieldSpec(name="class"),), outputs=(FieldSpec(name="a"),))


@pytest.fixture
def signature() -> Iterator[Scenario[Signature]]:
    yield from told(Signature)


def test_a_defined_signature_keeps_its_one_spelling(signature: Scenario[Signature]) -> None:
    twice_null = OptionalOf(of=OptionalOf(of=STRING))
    written = SignatureSpec(inputs=QA.inputs, outputs=(FieldSpec(name="answer", type=twice_null),))
    kept = parse("question -> answer: optional[string]")
    defined = signature.when_begun(lambda new: Signature.define(new, "qa", written, at=NOW)).then(
        SignatureDefined(name="qa", spec=kept, content_hash=content_hash(kept))
    )
    assert (defined.name, defined.revision, defined.spec) == ("qa", 1, kept)


def test_a_broken_signature_is_not_defined(signature: Scenario[Signature]) -> None:
    signature.when_begun(lambda new: Signature.define(new, "qa", BROKEN, at=NOW)).then_refused(
        InvalidSignature
    )


def test_a_revision_counts_up(signature: Scenario[Signature]) -> None:
    revised = signature.given(DEFINED).when(lambda it: it.revise(SURE_QA, at=NOW)).then(REVISED)
    assert (revised.revision, revised.spec) == (2, SURE_QA)
    assert revised.content_hash == content_hash(SURE_QA)


def test_equal_content_is_no_revision(signature: Scenario[Signature]) -> None:
    signature.given(DEFINED, REVISED).when(lambda it: it.revise(SURE_QA, at=NOW)).then()


def test_a_broken_revision_is_refused(signature: Scenario[Signature]) -> None:
    signature.given(DEFINED).when(lambda it: it.revise(BROKEN, at=NOW)).then_refused(
        InvalidSignature
    )


@pytest.mark.feature("SIG-06")
def test_sig_06_retiring_records_the_reason_once(signature: Scenario[Signature]) -> None:
    signature.given(DEFINED).when(lambda it: it.retire("superseded", at=NOW)).then(RETIRED)


def test_retiring_twice_changes_nothing(signature: Scenario[Signature]) -> None:
    signature.given(DEFINED, RETIRED).when(lambda it: it.retire("again", at=NOW)).then()
    signature.given(DEFINED, RETIRED).when(
        lambda it: it.retire("again", users=["router"], at=NOW)
    ).then()


@pytest.mark.feature("VIS-27")
@pytest.mark.parametrize(
    ("count", "told"), [(1, "m0. Retire"), (12, "m8, m9 and 2 more. Retire them first.")]
)
def test_vis_27_a_signature_in_use_names_its_users(
    signature: Scenario[Signature], count: int, told: str
) -> None:
    users = [f"m{number}" for number in range(count)]
    refusal = (
        signature.given(DEFINED)
        .when(lambda it: it.retire("old", users=users, at=NOW))
        .then_refused(SignatureIsInUse)
    )
    assert told in str(refusal)
    assert refusal.users == tuple(users)


def test_a_retired_signature_is_not_revised(signature: Scenario[Signature]) -> None:
    refusal = (
        signature.given(DEFINED, RETIRED)
        .when(lambda it: it.revise(SURE_QA, at=NOW))
        .then_refused(SignatureIsRetired)
    )
    assert refusal.code == "signature.retired"
