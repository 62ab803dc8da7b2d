"""Signatures of deliveries, in the form of Standard Webhooks: its libraries can check them."""

import base64
import hashlib
import hmac
from typing import Final
from uuid import UUID

PREFIX: Final = "whsec_"


def signed_headers(secret: str, event_id: UUID, body: bytes, *, at_s: int) -> dict[str, str]:
    """What is sent beside *body*: its id, the second it was sent, and a signature of all three.

    A secret that begins with ``whsec_`` is the Base64 of the key; any other is the key itself.
    """
    content = b".".join((str(event_id).encode(), str(at_s).encode(), body))
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX))
    return secret.encode()
