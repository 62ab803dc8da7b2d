"""What a signature is called by content: equal content, however it was written, has one digest."""

import hashlib
import json

from domain.signature.fields import SignatureSpec
from domain.values import Digest


def content_hash(spec: SignatureSpec) -> Digest:
    """The sha-256 of all that *spec* says, in order. Pass it through ``rules.accepted`` first."""
    content = json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
