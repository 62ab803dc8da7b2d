"""What every fold needs: the parameters that all statements share, and values fit for a column."""

import json

from pydantic import JsonValue

from domain.kernel import Recorded, ValueObject
from domain.text import mended


def row(recorded: Recorded, **columns: object) -> dict[str, object]:
    """The parameters that every statement about *recorded* shares, and *columns* of its own.

    They say whose row it is, how far its stream and the log got, when, and who acted. Texts are
    mended: nothing that a model or a provider said can stop a projection.
    """
    params: dict[str, object] = {
        "tenant": recorded.envelope.tenant,
        "id": recorded.originator_id,
        "version": recorded.originator_version,
        "position": recorded.position,
        "at": recorded.timestamp,
        "actor": recorded.envelope.actor,
        **columns,
    }
    for name, v in params.items():
        # Most texts need no mending, which a look tells; this runs for every row of every fold.
        if isinstance(v, str) and not (v.isascii() and "\x00" not in v):
            params[name] = mended(v)
    return params


def document(value: ValueObject | JsonValue) -> str | None:
    """*value* for a ``json`` column, which keeps the order of keys and every digit."""
    match value:
        case None:
            return None
        case ValueObject():
            return json.dumps(mended(value.model_dump(mode="json")), ensure_ascii=False)
        case _:
            return json.dumps(mended(value), ensure_ascii=False)


def documents(values: tuple[ValueObject, ...]) -> str:
    """*values* as one JSON array for a ``json`` column."""
    return json.dumps([mended(value.model_dump(mode="json")) for value in values])
