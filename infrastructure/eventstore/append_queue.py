"""Appends that wait while another is under way, taken along together by the next one."""

from collections import deque
from collections.abc import Hashable, Sequence
from threading import Lock
from typing import Final

from application.errors import LogIsBusy
from infrastructure.eventstore.requests import Request

MOST_EVENTS: Final = 500
"""In one transaction, unless one request alone brings more."""


class AppendQueue:
    """One caller leads: it carries its own request and what it can take along, then leaves.

    Who comes meanwhile waits in the line of its tenant, and is taken along or has to lead next. A
    caller that finds nobody leads at once, so alone it meets no other thread.

    Args:
        bound: How many requests may wait. When so many do, only tenants with less than their
            share of the line may still join it.
        wait_s: How long a request waits to be taken along before it is withdrawn.
    """

    def __init__(self, *, bound: int, wait_s: float) -> None:
        self._bound, self._wait_s = bound, wait_s
        self._lock = Lock()
        self._lines: dict[str, deque[Request]] = {}  # the tenant whose turn is next comes first
        self._waiting = 0
        self._is_led = False

    def enter(self, request: Request) -> None:
        """Return when *request* has its outcome or ``leads``; who leads has to leave again.

        Raises:
            LogIsBusy: Too many wait, or it waited for too long; nothing was sent.
        """
        with self._lock:
            if not self._is_led:
                self._is_led = request.leads = True
                return
            turn = self._line_up(request)
        if not turn.acquire(timeout=self._wait_s):
            with self._lock:
                if self._withdraw(request):
                    raise LogIsBusy(self._waiting)
            turn.acquire()

    def take(self, leader: Request) -> list[Request]:
        """The leader's request and all that go with it, the tenants in turns.

        Rivals of one that goes stay with that one: at most one of them can be stored.
        """
        batch = [leader]
        taken: dict[Hashable, Request] = dict.fromkeys(leader.keys(), leader)
        room = MOST_EVENTS - len(leader.events)
        with self._lock:
            while self._lines:
                request = self._first()
                if len(request.events) > room:
                    self._put_back(request)
                    break
                keys = list(request.keys())
                if winner := next((taken[key] for key in keys if key in taken), None):
                    winner.rivals.append(request)
                    continue
                taken.update(dict.fromkeys(keys, request))
                batch.append(request)
                room -= len(request.events)
        return batch

    def leave(self, leader: Request, batch: Sequence[Request]) -> None:
        """Let the next one lead, then tell those who were taken along."""
        told = [request for request in batch if request is not leader]
        with self._lock:
            for winner in batch:
                for rival in reversed(winner.rivals):
                    if isinstance(winner.outcome, int):
                        rival.outcome = rival.forestalled_by(winner)
                    if rival.outcome is not None:
                        told.append(rival)
                    elif not rival.is_abandoned:
                        self._put_back(rival)
                winner.rivals.clear()
            self._hand_over(leader)
        for request in told:
            assert request.turn is not None
            request.turn.release()

    def abandon(self, request: Request) -> None:
        """Give up the lead, or the place in the line, of a caller that was stopped."""
        with self._lock:
            request.is_abandoned = True
            if request.leads:
                self._hand_over(request)
            else:
                self._withdraw(request)

    def _line_up(self, request: Request) -> Lock:
        line = self._lines.get(request.tenant)
        tenants = len(self._lines) + (line is None)
        if self._waiting >= self._bound and len(line or ()) >= self._bound // tenants:
            raise LogIsBusy(self._waiting)
        request.turn = turn = Lock()
        turn.acquire()
        self._lines.setdefault(request.tenant, deque()).append(request)  # no line is ever empty
        self._waiting += 1
        return turn

    def _first(self) -> Request:
        """Take the next one out of the lines; its tenant's turn comes again after the others'."""
        tenant, line = next(iter(self._lines.items()))
        request = line.popleft()
        del self._lines[tenant]
        if line:
            self._lines[tenant] = line
        self._waiting -= 1
        return request

    def _put_back(self, request: Request) -> None:
        line = self._lines.pop(request.tenant, deque())
        line.appendleft(request)
        self._lines = {request.tenant: line, **self._lines}
        self._waiting += 1

    def _withdraw(self, request: Request) -> bool:
        line = self._lines.get(request.tenant, deque())
        if request not in line:
            return False
        line.remove(request)
        if not line:
            del self._lines[request.tenant]
        self._waiting -= 1
        return True

    def _hand_over(self, leader: Request) -> None:
        leader.leads = False
        self._is_led = bool(self._lines)
        if self._is_led:
            successor = self._first()
            assert successor.turn is not None
            successor.leads = True
            successor.turn.release()
