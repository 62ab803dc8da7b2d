"""Content that is no text, as the JSON that carries it. Nothing of it is ever fetched here."""

import base64
import binascii
import ipaddress
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

MAX_MEDIA_BYTES: Final = 5 * 1024 * 1024
MAX_URL: Final = 2048
MAX_TURNS: Final = 1000

_HEAD: Final = re.compile(r"data:([a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64});base64,", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+")
_INSIDE: Final = (".local", ".internal", ".localhost", ".home.arpa")
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def _image(text: str) -> str:
    if text.startswith("data:"):
        return _content(text, _IMAGES, "data:image/png;base64,… (or jpeg, gif, webp)")
    return _public_address(text)


def _audio(text: str) -> str:
    return _content(text, "audio/", "data:audio/wav;base64,…")


def _file(text: str) -> str:
    return _content(text, "", "data:application/pdf;base64,…")


def _content(text: str, allowed: frozenset[str] | str, example: str) -> str:
    head = _HEAD.match(text)
    if head is None or not _is_allowed(head[1], allowed):
        raise _refuse("media.form", f"Input should be an address like {example}")
    if len(text) - head.end() > MAX_MEDIA_BYTES * 4 // 3 + 4:
        raise _refuse("media.too_large", f"Input should hold at most {MAX_MEDIA_BYTES} bytes")
    try:
        base64.b64decode(text[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _refuse("media.base64", "Input should end in valid base64") from None
    return text


def _is_allowed(kind: str, allowed: frozenset[str] | str) -> bool:
    return kind.startswith(allowed) if isinstance(allowed, str) else kind in allowed


def _public_address(text: str) -> str:
    """*text*, if it is an address that whoever serves the model may be asked to open.

    A provider may run within a private network: addresses that lie inside one are refused.
    """
    wanted = "Input should be a data: address, or an https:// address of a public host"
    if len(text) > MAX_URL or not _PLAIN.fullmatch(text):
        raise _refuse("media.address", wanted)
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refuse("media.address", wanted) from None
    if parts.scheme != "https" or "@" in parts.netloc or not _is_public(host):
        raise _refuse("media.address", wanted)
    return text


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # A last label of digits is an address in disguise, such as 127.1 or 0x7f.1.
        last = host.rpartition(".")[2]
        named = "." in host and not last[:1].isdigit()
        return named and not host.endswith(_INSIDE)


def _refuse(code: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("value_error", message, {"reason": code})  # pyright: ignore[reportArgumentType]  # ours, without braces


Image = Annotated[str, AfterValidator(_image)]
"""``data:image/…;base64,…`` or an ``https://`` address, which the model's provider opens."""

Audio = Annotated[str, AfterValidator(_audio)]
"""``data:audio/…;base64,…``"""

File = Annotated[str, AfterValidator(_file)]
"""``data:<type>;base64,…``"""

Turn = Annotated[dict[str, JsonValue], Field(min_length=1)]
History = Annotated[list[Turn], Field(max_length=MAX_TURNS)]
"""Earlier turns, oldest first: each an object with inputs and outputs of the signature."""

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "image": {
        "type": "string",
        "format": "uri",
        "pattern": r"^(https://|data:image/(png|jpeg|gif|webp);base64,)",
    },
    "audio": {"type": "string", "format": "uri", "pattern": r"^data:audio/[^;]+;base64,"},
    "file": {"type": "string", "format": "uri", "pattern": r"^data:[^;]+;base64,"},
    "history": {
        "type": "array",
        "items": {"type": "object", "minProperties": 1},
        "maxItems": MAX_TURNS,
    },
}
