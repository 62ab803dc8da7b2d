"""A signature under its name: defined, revised, retired; whoever froze a revision keeps it."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.kernel import Aggregate
from domain.signature.errors import SignatureIsInUse, SignatureIsRetired
from domain.signature.events import (
    SignatureDefined,
    SignatureEvent,
    SignatureRetired,
    SignatureRevised,
)
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.signature.rules import accepted
from domain.values import Digest


class Signature(Aggregate[SignatureEvent]):
    KIND: ClassVar[str] = "signature"

    name: str
    spec: SignatureSpec
    content_hash: Digest

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.revision = 0
        self.is_retired = False

    @classmethod
    def define(cls, id: UUID, name: str, spec: SignatureSpec, *, at: datetime) -> Self:
        """Define revision 1.

        Raises:
            InvalidSignature: *spec* breaks a rule.
        """
        kept = accepted(spec)
        event = SignatureDefined(name=name, spec=kept, content_hash=content_hash(kept))
        return cls.begin(id, event, at=at)

    def revise(self, spec: SignatureSpec, *, at: datetime) -> None:
        """Make *spec* the next revision; equal content changes nothing.

        Raises:
            InvalidSignature: *spec* breaks a rule.
            SignatureIsRetired: It takes no more revisions.
        """
        self.require_in_service()
        kept = accepted(spec)
        digest = content_hash(kept)
        if digest != self.content_hash:
            event = SignatureRevised(revision=self.revision + 1, spec=kept, content_hash=digest)
            self.record(event, at=at)

    def retire(self, reason: str, *, users: Sequence[str] = (), at: datetime) -> None:
        """Take it out of service. A second time changes nothing.

        *users* are the modules in service that were made of it.

        Raises:
            SignatureIsInUse: There are some; retire them first.
        """
        if self.is_retired:
            return
        if users:
            raise SignatureIsInUse(self.id, users)
        self.record(SignatureRetired(reason=reason), at=at)

    def require_in_service(self) -> None:
        """Refuse to go on with a retired signature.

        Raises:
            SignatureIsRetired: Choose another one.
        """
        if self.is_retired:
            raise SignatureIsRetired(self.id)

    def evolve(self, event: SignatureEvent) -> None:
        match event:
            case SignatureDefined():
                self.name = event.name
                self.revision, self.spec = 1, event.spec
                self.content_hash = event.content_hash
            case SignatureRevised():
                self.revision, self.spec = event.revision, event.spec
                self.content_hash = event.content_hash
            case SignatureRetired():
                self.is_retired = True
            case _:
                assert_never(event)
