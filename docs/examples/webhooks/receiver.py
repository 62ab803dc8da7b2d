"""What a receiver of webhooks checks before it believes a delivery; it needs Python alone."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, MutableMapping

MOST_SECONDS_APART = 300


class NotBelieved(Exception):
    """Answer 401: it is not from Stratal, or not from now."""


class SeenBefore(Exception):
    """Answer 204: it was taken already. A delivery may come twice."""


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_s: float,
    seen: MutableMapping[str, float],
) -> None:
    """Believe *body*, or refuse it. *seen* has the ids of what was taken: keep it in a table.

    Header names are in lower case. If the event cannot be dealt with, take its id out of *seen*.
    """
    event_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{event_id}.{sent}.".encode() + body, hashlib.sha256).digest()
    good = b"v1," + base64.b64encode(digest)
    told = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(each.encode(), good) for each in told):
        raise NotBelieved("The signature is wrong.")
    if not sent.isdigit() or abs(now_s - int(sent)) > MOST_SECONDS_APART:
        raise NotBelieved("It was sent too long ago, or by a clock that is wrong.")
    if event_id in seen:
        raise SeenBefore(event_id)
    for old in [known for known, at_s in seen.items() if now_s - at_s > 2 * MOST_SECONDS_APART]:
        del seen[old]
    seen[event_id] = now_s
