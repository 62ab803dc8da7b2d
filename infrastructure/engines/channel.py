"""Two processes that ask each other: every request has an id, and every reply names it.

Either side may have any number of requests under way, and answers in any order. A reply that nobody
waits for any more is dropped and counted; one that nobody ever asked for is dropped and logged.
"""

import logging
import threading
from collections.abc import Callable
from itertools import count
from typing import IO, cast

from pydantic import JsonValue

from infrastructure.engines.frames import (
    MAX_FRAME_BYTES,
    FrameIsBroken,
    FrameIsTooLarge,
    Message,
    read_frame,
    write_frame,
)

logger = logging.getLogger(__name__)

Params = dict[str, JsonValue]
Serve = Callable[[str, Params], JsonValue]
"""Answers a request, by its word and what came with it."""

Told = Callable[[BaseException], Params]
"""How an error of ``Serve`` is told to the other side."""


class ChannelIsClosed(Exception):
    """The other side is gone, or said something that is no message."""


class AskingFailed(Exception):
    """The other side could not do what it was asked for; ``error`` is how it says so."""

    def __init__(self, error: Params) -> None:
        super().__init__(str(error))
        self.error = error


class Pending:
    """A request whose reply has not come yet."""

    def __init__(self, id: int) -> None:
        self.id = id
        self._answered = threading.Event()
        self._reply: Message | None = None

    def settle(self, reply: Message | None) -> None:
        """Take the *reply*; without one there never will be any."""
        self._reply = reply
        self._answered.set()

    def wait(self, timeout_s: float | None) -> bool:
        """Whether it is settled within *timeout_s*."""
        return self._answered.wait(timeout_s)

    def result(self) -> JsonValue:
        """What the settled request led to.

        Raises:
            AskingFailed: The other side says why.
            ChannelIsClosed: It says nothing any more.
        """
        if self._reply is None:
            raise ChannelIsClosed("The other side ended before it answered.")
        if "error" in self._reply:
            raise AskingFailed(cast("Params", self._reply["error"]))
        return self._reply.get("result")


class Channel:
    """One end of two pipes. ``late`` counts replies that came when nobody waited any more.

    ``nonsense`` is what the other side said last, if that was no message.
    """

    def __init__(
        self,
        reader: IO[bytes],
        writer: IO[bytes],
        serve: Serve,
        told: Told,
        *,
        most: int = MAX_FRAME_BYTES,
    ) -> None:
        self._reader, self._writer, self._most = reader, writer, most
        self._serve, self._told = serve, told
        self._ids = count(1)
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: dict[int, Pending] = {}
        self._given_up: set[int] = set()
        self._is_closed = False
        self.late = 0
        self.nonsense: FrameIsTooLarge | FrameIsBroken | None = None

    def begin(self, word: str, params: Params) -> Pending:
        """Ask for *word*, and go on meanwhile.

        Raises:
            FrameIsTooLarge: The request is too long; nothing was sent.
            ChannelIsClosed: The other side is gone.
        """
        with self._lock:
            if self._is_closed:
                raise ChannelIsClosed("The other side is gone.")
            pending = Pending(next(self._ids))
            self._waiting[pending.id] = pending
        try:
            self._send({"id": pending.id, "word": word, "params": params})
        except BaseException:
            with self._lock:
                self._waiting.pop(pending.id, None)
            raise
        return pending

    def ask(self, word: str, params: Params) -> JsonValue:
        """Ask for *word* and wait for the answer.

        Raises:
            AskingFailed, ChannelIsClosed: See ``Pending.result``.
            FrameIsTooLarge: The request is too long; nothing was sent.
        """
        pending = self.begin(word, params)
        pending.wait(None)
        return pending.result()

    def give_up(self, pending: Pending) -> None:
        """Wait no more: a reply that still comes is dropped and counted."""
        with self._lock:
            if self._waiting.pop(pending.id, None) is not None:
                self._given_up.add(pending.id)

    def listen(self) -> None:
        """Take what comes until the other side is gone; every request has a thread of its own."""
        try:
            while (message := read_frame(self._reader, most=self._most)) is not None:
                self._take(message)
        except (FrameIsTooLarge, FrameIsBroken) as error:
            self.nonsense = error
            logger.error("The other side of a channel is given up. %s", error)  # noqa: TRY400 - the sentence says it all
        except (OSError, ValueError):  # the pipe was closed here
            pass
        finally:
            self._close()

    def _take(self, message: Message) -> None:
        if "word" in message:
            threading.Thread(target=self._answer, args=[message], daemon=True).start()
            return
        number = cast("int", message.get("re"))
        with self._lock:
            pending = self._waiting.pop(number, None)
            if pending is None and number in self._given_up:
                self._given_up.discard(number)
                self.late += 1
                return
        if pending is None:
            logger.warning("A reply to request %s came, which was never made.", number)
        else:
            pending.settle(message)

    def _answer(self, message: Message) -> None:
        number, word = message["id"], cast("str", message["word"])
        try:
            result = self._serve(word, cast("Params", message.get("params", {})))
            self._reply({"re": number, "result": result})
        except BaseException as error:  # noqa: BLE001 - the other side is told, whatever it is
            self._reply({"re": number, "error": self._told(error)})

    def _reply(self, reply: Message) -> None:
        try:
            self._send(reply)
        except ChannelIsClosed:
            logger.info("Nobody hears the answer to request %s any more.", reply["re"])

    def _send(self, message: Message) -> None:
        try:
            with self._writing:
                write_frame(self._writer, message, most=self._most)
        except (OSError, ValueError) as error:
            raise ChannelIsClosed("The other side is gone.") from error

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for pending in waiting:
            pending.settle(None)
