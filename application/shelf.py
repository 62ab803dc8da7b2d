"""Signatures as they are kept: under a name, or, written in place, by what they say."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Final
from uuid import UUID, uuid5

from application.context import current, within
from application.errors import NameIsTaken
from application.ports import Claim, Clock, Names, Receipt, Repository
from domain.signature.aggregate import Signature
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash

_FIELDS_SHOWN: Final = 3
_SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class SignatureShelf:
    """What is there already is not made again, whoever asks for it at the same time."""

    signatures: Repository[Signature]
    names: Names
    clock: Clock

    def keep(self, id: UUID, name: str, spec: SignatureSpec) -> Receipt:
        """Keep *spec* under *name*: define it with *id*, or revise the signature that is called so.

        Equal content changes nothing.

        Raises:
            InvalidSignature: *spec* breaks a rule.
            SignatureIsRetired: The one of that name takes no more revisions.
        """
        if (holder := self.names.holder(Signature.KIND, name)) is None:
            try:
                return self._define(id, name, spec)
            except NameIsTaken:  # by somebody who asked for the same at the same time
                holder = self.names.holder(Signature.KIND, name)
                assert holder is not None
        signature = self.signatures.get(holder)
        signature.revise(spec, at=self.clock.now())
        return self.signatures.save(signature)

    def written_in_place(self, beside: UUID, spec: SignatureSpec) -> Signature:
        """The signature in service that says *spec*, under a name of its fields; made if need be.

        *beside* is the id of what it was written in; an id for a new one is made of it.
        """
        digest, names = content_hash(spec), _names(spec)
        while True:
            name = next(names)
            holder = self.names.holder(Signature.KIND, name)
            if holder is None:
                holder = self._made(uuid5(beside, name), name, spec)
            found = self.signatures.get(holder)
            # It may be another one by now: revised by hand, or retired.
            if found.content_hash == digest and not found.is_retired:
                return found

    def _made(self, id: UUID, name: str, spec: SignatureSpec) -> UUID:
        # The receipt of the command is for what it asked for, not for this.
        with within(replace(current(), fingerprint=None)):
            try:
                return self._define(id, name, spec).id
            except NameIsTaken:
                holder = self.names.holder(Signature.KIND, name)
                assert holder is not None
                return holder

    def _define(self, id: UUID, name: str, spec: SignatureSpec) -> Receipt:
        signature = Signature.define(id, name, spec, at=self.clock.now())
        return self.signatures.save(signature, claim=Claim(Signature.KIND, name, id))


def _names(spec: SignatureSpec) -> Iterator[str]:
    """``question-to-answer-b67c224c``, and the same with a number for as long as it is taken."""
    sides = (
        "-".join(field.name[:_SHOWN] for field in side[:_FIELDS_SHOWN])
        for side in (spec.inputs, spec.outputs)
    )
    name = f"{'-to-'.join(sides)}-{content_hash(spec)[:8]}"
    yield name
    yield from (f"{name}-{number}" for number in count(2))
