"""What of a tenant has types of its own in GraphQL: its signatures and its programs."""

from typing import Final, LiteralString

from pydantic import Field

from projections.kernel import ReadStore
from projections.paging import Row
from projections.program_types import ProgramTypes, program_types
from projections.signatures import Signatures

MOST_OF_EACH: Final = 1000
"""The newest: with more of them a schema is beyond what editors and generators read."""


class VocabularyState(Row):
    """What tells one state of a tenant's signatures and programs from every other."""

    signatures: int = Field(description="Grows with every event of any signature.")
    programs: int = Field(description="Grows with every event of any program.")


class SignatureTypes(Row):
    """A signature in service, its fields as JSON text."""

    name: str
    spec: str


class Vocabulary(Row):
    """The newest signatures and programs in service, the oldest of them first."""

    signatures: tuple[SignatureTypes, ...]
    programs: tuple[ProgramTypes, ...]


def vocabulary_state(store: ReadStore, *, tenant: str) -> VocabularyState:
    """How far the signatures and programs of *tenant* have come: all there is to compare."""
    (found,) = store.rows(_STATE, {"tenant": tenant})
    return VocabularyState.model_validate(dict(found))


def vocabulary(store: ReadStore, *, tenant: str) -> Vocabulary:
    """The signatures and programs that *tenant* has in service."""
    return Vocabulary(
        signatures=_signatures(store, tenant),
        programs=program_types(store, tenant=tenant, limit=MOST_OF_EACH),
    )


def _signatures(store: ReadStore, tenant: str) -> tuple[SignatureTypes, ...]:
    found = store.rows(_SIGNATURES, {"tenant": tenant, "rows": MOST_OF_EACH}, of=Signatures)
    return tuple(SignatureTypes.model_validate(dict(row)) for row in reversed(found))


_STATE: LiteralString = """
    SELECT (SELECT coalesce(sum(version), 0)::bigint FROM signature
            WHERE tenant = %(tenant)s) AS signatures,
           (SELECT coalesce(sum(version), 0)::bigint FROM program
            WHERE tenant = %(tenant)s) AS programs"""

_SIGNATURES: LiteralString = """
    SELECT name, spec::text AS spec FROM signature
    WHERE tenant = %(tenant)s AND retired_at IS NULL
    ORDER BY position DESC LIMIT %(rows)s"""
