"""What the bodies of several routes have in common."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from application.reasons import NO_REASON
from domain.text import LongText


class Body(BaseModel):
    """A request body. Keys that no field has are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NewThing(Body):
    """Something to create."""

    id: Annotated[
        UUID | None, Field(description="Its id, if you make ids yourself; else we make one.")
    ] = None


class Retirement(Body):
    """Why something leaves service."""

    reason: LongText = NO_REASON


class Cancellation(Body):
    """Why a run is called off."""

    reason: LongText = NO_REASON
