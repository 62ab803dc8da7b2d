"""What records are called by, the calls that their changes make, and what answers them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.kernel import ValueObject

ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""What a kind of record is called, such as ``post``."""


class Call(ValueObject):
    """A program that a change of a record calls, because it is bound to such changes.

    ``execution_id`` is decided with the change, so a call that is followed twice runs once.
    ``chain`` are the bindings whose answers led to the change, the first one first.
    """

    execution_id: UUID
    binding_id: UUID
    binding_version: Annotated[int, Field(ge=1)]
    chain: tuple[UUID, ...] = ()

    @property
    def next_chain(self) -> tuple[UUID, ...]:
        """The chain of what is called by the answer to this."""
        return (*self.chain, self.binding_id)


class Answer(ValueObject):
    """What a record was changed by: a run of a version of a program, for a binding."""

    execution_id: UUID
    binding_id: UUID
    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
