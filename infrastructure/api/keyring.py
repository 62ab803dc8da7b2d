"""Who asks, by key: each key is read from the log once in a short while, not once a request."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from anyio import to_thread
from starlette.datastructures import Headers

from application.context import Context, within
from domain.access.aggregate import ApiKey
from domain.access.errors import KeyIsRefused, KeyIsUnknown
from domain.access.text import Named, read
from domain.kernel import Recorded
from infrastructure.api.callers import Caller

FRESH_S: Final = 2.0
"""How long a key that was read is trusted: so much later, at most, all know that it was revoked."""

_KEPT: Final = 10_000
_SCHEME: Final = "bearer "


class KeyIsMissing(KeyIsRefused):
    """This service is open to keys alone, and the request has none."""

    code: ClassVar[str] = "key.missing"

    def __init__(self) -> None:
        super().__init__(
            "Send a key: Authorization: Bearer stratal_… (the command line: STRATAL_API_KEY)."
            " An admin issues them with `stratal key issue`."
        )


class KeyIsMalformed(KeyIsRefused):
    """What was sent is no key of Stratal, or not all of one."""

    code: ClassVar[str] = "key.malformed"

    def __init__(self) -> None:
        super().__init__(
            "This is no key of Stratal, or not all of one. Copy the whole of it:"
            " it begins with stratal_."
        )


_Place = tuple[str, UUID]
"""A tenant and an id: somebody may send the id of a key as that of another tenant's."""


class _Kept(NamedTuple):
    key: ApiKey | None
    at_s: float


class Keyring:
    """Tells who asks by the key they send; nothing else that they send is believed.

    Args:
        history: The events of a stream; it blocks.
        now: The present.
        fresh_s: How long what was read counts.
    """

    def __init__(
        self,
        history: Callable[[UUID], Sequence[Recorded]],
        now: Callable[[], datetime],
        *,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._history, self._now, self._fresh_s = history, now, fresh_s
        self._kept: OrderedDict[_Place, _Kept] = OrderedDict()
        self._reading: dict[_Place, asyncio.Future[ApiKey | None]] = {}

    async def who(self, headers: Headers) -> Caller:
        """Whose key *headers* hold.

        Raises:
            KeyIsMissing, KeyIsMalformed, KeyIsUnknown: Send another one.
            StoreIsUnavailable: It could not be looked up.
        """
        named = _named(headers)
        key = await self._key(named)
        if key is None or not key.is_opened_by(named.digest):
            raise KeyIsUnknown
        try:
            key.require_good(self._now())
        except KeyIsRefused as refusal:
            return Caller(named.tenant, key.name, frozenset(), refusal)
        return Caller(named.tenant, key.name, key.roles)

    async def _key(self, named: Named) -> ApiKey | None:
        kept = self._kept.get(_place(named))
        if kept is not None and monotonic() < kept.at_s + self._fresh_s:
            return kept.key
        return await self._read(named)

    async def _read(self, named: Named) -> ApiKey | None:
        """Read the key that is *named*, once for all who ask for it meanwhile."""
        place = _place(named)
        if (reading := self._reading.get(place)) is None:
            reading = self._reading[place] = asyncio.ensure_future(self._renewed(named))
            reading.add_done_callback(lambda _: self._reading.pop(place, None))
        return await asyncio.shield(reading)

    async def _renewed(self, named: Named) -> ApiKey | None:
        began_s = monotonic()
        key = await to_thread.run_sync(partial(_of_log, self._history, named))
        place = _place(named)
        self._kept[place] = _Kept(key, began_s)
        self._kept.move_to_end(place)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return key


def _place(named: Named) -> _Place:
    return named.tenant, named.key_id


def _named(headers: Headers) -> Named:
    sent = headers.get("Authorization", "")
    if not sent:
        raise KeyIsMissing
    if (
        not sent.lower().startswith(_SCHEME)
        or (named := read(sent[len(_SCHEME) :].strip())) is None
    ):
        raise KeyIsMalformed
    return named


def _of_log(history: Callable[[UUID], Sequence[Recorded]], named: Named) -> ApiKey | None:
    """The key of the tenant that it names, as the log has it."""
    nobody = Context(tenant=named.tenant, actor="anonymous", correlation_id=named.key_id)
    with within(nobody):
        found: Sequence[Any] = history(named.key_id)
    if not found or found[0].envelope.tenant != named.tenant:
        return None
    if not found[0].event.TOPIC.startswith(f"{ApiKey.KIND}."):
        return None
    return ApiKey.fold(named.key_id, (each.event for each in found))
