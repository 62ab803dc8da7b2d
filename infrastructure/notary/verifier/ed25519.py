"""The signature: Ed25519 of RFC 8032, checked with whole numbers alone."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Tuple

_Point = Tuple[int, int, int, int]
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ZERO: _Point = (0, 1, 1, 0)


@lru_cache(maxsize=4096)
def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether whoever holds the private half of *public* signed *message*."""
    point, scalar = _decompressed(public), int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != 64 or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    x, y, z, t = point
    base = _decompressed(bytes.fromhex("58" + 31 * "66"))
    assert base is not None
    challenge = int.from_bytes(digest, "little") % _ORDER
    found = _add(_times(base, scalar), _times((_P - x, y, z, _P - t), challenge))
    return _compressed(found) == signature[:32]


def _add(one: _Point, other: _Point) -> _Point:
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


@lru_cache(maxsize=16)
def _multiples(point: _Point) -> list[list[_Point]]:
    """Row *i* holds 0 to 15 times 16 ** *i* times *point*."""
    rows: list[list[_Point]] = []
    for _ in range(64):
        row = [_ZERO]
        for _ in range(15):
            row.append(_add(row[-1], point))
        rows.append(row)
        point = _add(row[-1], point)
    return rows


def _times(point: _Point, scalar: int) -> _Point:
    total = _ZERO
    for row in _multiples(point):
        total = _add(total, row[scalar & 15])
        scalar >>= 4
    return total


def _compressed(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, _P - 2, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _decompressed(raw: bytes) -> _Point | None:
    packed = int.from_bytes(raw, "little")
    y, is_odd = packed & (1 << 255) - 1, packed >> 255
    if len(raw) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and is_odd):
        return None
    x = _P - x if x & 1 != is_odd else x
    return x, y, 1, x * y % _P
