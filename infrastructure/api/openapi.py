"""``/openapi.json``: the document of the API, with the programs of the tenant who asks."""

import json
from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import Annotated, Final

import orjson
from fastapi import Header, Query, Request, Response, status

from infrastructure.api.dependencies import Reading
from infrastructure.api.route import router
from infrastructure.api.typed_paths import Schema, with_types
from projections.kernel import ReadStore
from projections.program_types import catalog_state, program_types

MOST_PROGRAMS: Final = 1000
"""A document with more of them is beyond what generators and editors read."""

_KEPT_BYTES: Final = 64 * 1024 * 1024
_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-Stratal-Tenant"}

Key = tuple[str, tuple[str, ...]]
"""A tenant, and the names of the programs that were asked for."""

routes = router("", "service")


class Documents:
    """The documents that were made last, each good for one state of its tenant's programs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[str, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, etag: str) -> bytes | None:
        """The document of *key*, if it is still the one with *etag*."""
        with self._lock:
            made, document = self._kept.get(key, ("", b""))
            if made != etag:
                return None
            self._kept.move_to_end(key)
            return document

    def keep(self, key: Key, etag: str, document: bytes) -> None:
        """Keep *document*, and let go of those that nobody asked for longest."""
        with self._lock:
            self._kept[key] = (etag, document)
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self._bytes() > _KEPT_BYTES:
                self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(len(document) for _, document in self._kept.values())


@routes.get("/openapi.json", include_in_schema=False)
async def openapi(
    request: Request,
    desk: Reading,
    programs: Annotated[list[str] | None, Query(alias="program", max_length=200)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The document: the fixed routes, and a typed path for each program or for those named."""
    app = request.app
    names = tuple(sorted(set(programs or ())))
    make = partial(_document, app.openapi(), app.state.documents, (desk.tenant, names))
    etag, document = await desk.read(make)
    headers = {**_HEADERS, **desk.headers, "ETag": etag}
    if if_none_match == etag:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(document, headers=headers, media_type="application/json")


def _document(fixed: Schema, documents: Documents, key: Key, store: ReadStore) -> tuple[str, bytes]:
    tenant, names = key
    state = catalog_state(store, tenant=tenant)
    etag = f'"{fixed["info"]["version"]}-{state.generation}"'
    if (made := documents.get(key, etag)) is None:
        shown = program_types(store, tenant=tenant, names=names, limit=MOST_PROGRAMS)
        typed = with_types(fixed, shown)
        if not names and len(shown) < state.in_service:
            typed["info"] = _in_part(fixed["info"], state.in_service)
        made = _text(typed)
        documents.keep(key, etag, made)
    return etag, made


def _text(document: Schema) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # the default of some input is beyond 64 bits
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _in_part(info: Schema, in_service: int) -> Schema:
    shown = f"Shown are the newest {MOST_PROGRAMS} of {in_service} programs"
    return info | {
        "description": f"{info['description']} {shown}: name others with `program`.",
        "x-stratal-in-service": in_service,
    }
