"""What a webhook is known by, and how its deliveries are signed."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.kernel import ValueObject
from domain.tool.values import ServerName
from domain.values import PayloadRef

WebhookUrl = Annotated[str, StringConstraints(min_length=1, max_length=2000)]

TopicPattern = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.([a-z_]+|\*)$")]
"""A topic such as ``program.deployed``, or ``program.*`` for all of a kind."""


class WebhookStatus(StrEnum):
    """``paused`` by a person, ``disabled`` because nobody took what was sent for too long."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    REMOVED = "removed"


class NamedSecret(ValueObject):
    """A secret that whoever runs the service keeps under a name; it is in no database of ours."""

    kind: Literal["named"] = "named"
    name: ServerName


class KeptSecret(ValueObject):
    """A secret that was made for the webhook, shown once, and lies beside the log."""

    kind: Literal["kept"] = "kept"
    text: PayloadRef


SigningSecret = Annotated[NamedSecret | KeptSecret, Field(discriminator="kind")]
