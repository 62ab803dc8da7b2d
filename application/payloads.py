"""Large and personal texts: named by the digest of their canonical JSON, kept beside the events."""

import hashlib
import json
from dataclasses import dataclass, field

from pydantic import JsonValue

from domain.values import PayloadRef


def canonical_json(content: JsonValue) -> bytes:
    """The one spelling of *content*: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: It holds NaN or an infinity, which JSON cannot say.
    """
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


@dataclass(frozen=True, slots=True)
class Payload:
    """A text to be stored in the transaction of the append that refers to it.

    ``subject`` is the person whose data it is; from the day erasure exists it names the key.
    """

    ref: PayloadRef
    body: bytes = field(repr=False)
    subject: str | None = None

    @classmethod
    def of(cls, content: JsonValue, *, subject: str | None = None) -> "Payload":
        body = canonical_json(content)
        ref = PayloadRef(digest=hashlib.sha256(body).hexdigest(), size_bytes=len(body))
        return cls(ref, body, subject)
