"""A dataset is held against a signature, field by field."""

import pytest

from application.fitting import fit
from domain.signature.fields import FieldSpec, SignatureSpec

SPEC = SignatureSpec(
    inputs=(FieldSpec(name="message"), FieldSpec(name="hint", optional=True)),
    outputs=(FieldSpec(name="queue"), FieldSpec(name="why")),
)


@pytest.mark.feature("EXM-02")
def test_exm_02_an_example_with_a_key_of_no_field_is_warned_of() -> None:
    found = fit(SPEC, ("message", "queue", "_source", "extra"))
    assert found.roles == {
        "message": "input",
        "queue": "output",
        "_source": "metadata",
        "extra": "unused",
    }
    assert found.faults == ()
    assert [(each.pointer, each.code) for each in found.warnings] == [
        ("/extra", "dataset.field_unused")
    ]
    assert found.warnings[0].message == (
        "The program has no field extra, so it is not used. "
        "Call it _extra if it only says something about its row."
    )


def test_what_lacks_is_a_fault() -> None:
    found = fit(SPEC, ("hint",))
    assert [(each.pointer, each.code) for each in found.faults] == [
        ("/message", "dataset.input_missing"),
        ("/queue", "dataset.label_missing"),
    ]
    assert found.warnings == ()
