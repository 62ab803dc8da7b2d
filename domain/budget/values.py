"""Money, and what a budget is for."""

from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from domain.kernel import ValueObject

Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]
"""US dollars, exact, more than nothing."""

CoverKind = Literal["tenant", "program", "actor"]


class Cover(ValueObject):
    """Whose runs a budget pays for: all of the tenant's, those *of* a program, or *of* an actor."""

    kind: CoverKind = "tenant"
    of: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None

    @model_validator(mode="after")
    def _names_what_it_is_for(self) -> Self:
        if (self.of is None) != (self.kind == "tenant"):
            raise ValueError("A program or an actor is named with of; a tenant is not.")
        if self.kind == "program" and not _is_id(self.of or ""):
            raise ValueError("A program is named by its id.")
        return self

    @property
    def word(self) -> str:
        """The one word for it: no two covers of a tenant have the same."""
        return self.kind if self.of is None else f"{self.kind}:{self.of}"


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
