"""Everything that can happen to a signature, in the order of its life."""

from typing import ClassVar

from domain.kernel import Event
from domain.signature.fields import SignatureSpec
from domain.values import Digest


class SignatureDefined(Event):
    TOPIC: ClassVar[str] = "signature.defined"

    name: str
    spec: SignatureSpec
    content_hash: Digest


class SignatureRevised(Event):
    TOPIC: ClassVar[str] = "signature.revised"

    revision: int
    spec: SignatureSpec
    content_hash: Digest


class SignatureRetired(Event):
    TOPIC: ClassVar[str] = "signature.retired"

    reason: str


SignatureEvent = SignatureDefined | SignatureRevised | SignatureRetired
