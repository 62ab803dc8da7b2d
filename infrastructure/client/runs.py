"""Work that goes on in the background: what a client asks of it, and how it follows it."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from infrastructure.client.resources import Api, AsOf, JsonObject, Resource


class Runs(Resource):
    """Work that goes on in the background and ends."""

    ENDED: ClassVar[frozenset[str]] = frozenset({"completed", "failed", "cancelled"})

    def cancel(
        self, id: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Call it off."""
        return self._do(id, "cancel", expected_version, reason=reason)

    def follow(self, id: str, *, every_s: float = 0.5) -> Iterator[JsonObject]:
        """Its state again and again, the last time when it has ended."""
        while True:
            state = self.get(id)
            yield state
            if state["status"] in self.ENDED:
                return
            time.sleep(every_s)

    def wait(self, id: str, *, timeout_s: float, every_s: float = 0.5) -> JsonObject:
        """Its state when it has ended.

        Raises:
            TimeoutError: It goes on after *timeout_s*.
        """
        deadline_s = time.monotonic() + timeout_s
        for state in self.follow(id, every_s=every_s):
            if state["status"] in self.ENDED:
                return state
            if time.monotonic() > deadline_s:
                break
        raise TimeoutError(f"{id} has not ended within {timeout_s:.0f} s. It goes on.")


class Executions(Runs):
    """Runs of a program, with every model call."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/executions")

    def trace(self, id: str, *, as_of: AsOf | None = None) -> Iterator[JsonObject]:
        """Every call in order, of models and of tools, with what was asked and answered."""
        return self._api.pages(self._at(id, "/trace"), as_of=as_of)

    def stream(self, id: str, after: int = 0) -> Iterator[JsonObject]:
        """What happens to it, up to its end; broken connections mend.

        Each item says by ``event`` what it is: a ``state``, with the execution as it was then, a
        ``node`` that ``began`` or ``ended``, a ``tool`` that was called, or a ``chunk`` of what a
        model says. A chunk with the ``offset`` 0 begins its field, also a second time. *after* is
        the version up to which all is known.
        """
        return self._api.streamed(self._at(id, "/stream"), after)

    def replay(self, id: str, *, wait_s: float | None = None) -> JsonObject:
        """Repeat it from the log with the model switched off; see ``outcome``."""
        return self._api.post(self._at(id, "/replay"), params={"wait": wait_s})

    def replay_all(
        self,
        *,
        program: str | None = None,
        program_version: int | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        unless_replayed_since: datetime | str | None = None,
        wait_s: float | None = None,
        at_once: int = 20,
    ) -> Iterator[JsonObject]:
        """Repeat all that ended, *at_once* at the same time; each replay as it is after *wait_s*.

        To go on where one stopped, name as *unless_replayed_since* the time when one began.
        """
        wanted = {
            "program": program,
            "program_version": program_version,
            "since": _time(since),
            "until": _time(until),
            "unless_replayed_since": _time(unless_replayed_since),
            "limit": at_once,
        }
        body: dict[str, object] = {k: each for k, each in wanted.items() if each is not None}
        while True:
            page = self._api.post("/v1/executions/replay", body, params={"wait": wait_s})
            yield from page["items"]
            if page["next"] is None:
                return
            body["cursor"] = page["next"]


class Optimizations(Runs):
    """Searches for better versions, and what they propose."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/optimizations")

    def proposal(self, id: str) -> JsonObject:
        """What it found and waits to have approved: its scores, and what it would change."""
        return self._api.get(self._at(id, "/proposal"))

    def approve(
        self, id: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Let what it found become the next version of its program."""
        return self._do(id, "approve", expected_version, reason=reason)

    def reject(
        self, id: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Let no version come of what it found."""
        return self._do(id, "reject", expected_version, reason=reason)


def _time(at: datetime | str | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at
