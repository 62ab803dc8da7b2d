"""Two ends of a channel: replies by their ids, what is too long or too late, and nonsense."""

import io
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from pydantic import JsonValue

from infrastructure.engines.channel import AskingFailed, Channel, ChannelIsClosed, Params
from infrastructure.engines.frames import FrameIsBroken, FrameIsTooLarge, read_frame, write_frame
from infrastructure.engines.wire import error_json


def pipe() -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb"), os.fdopen(writer, "wb")


def serve(word: str, told: Params) -> JsonValue:
    match word:
        case "echo":
            time.sleep(float(str(told.get("after_s", 0))))
            return told.get("said")
        case "long":
            return "x" * 10_000
        case _:
            raise LookupError(word)


class Ends:
    """Our end, whose other end serves; ``raw`` writes to us as the other end does."""

    def __init__(self, most: int) -> None:
        (ours, self.raw), (theirs, out) = pipe(), pipe()
        self.here = Channel(ours, out, serve, error_json, most=most)
        self.there = Channel(theirs, self.raw, serve, error_json, most=most)
        self.pipes = (ours, self.raw, theirs, out)
        self.threads = [threading.Thread(target=it.listen) for it in (self.here, self.there)]
        for thread in self.threads:
            thread.start()


@contextmanager
def ends(*, most: int = 1_000_000) -> Iterator[Ends]:
    made = Ends(most)
    try:
        yield made
    finally:
        made.pipes[1].close()
        made.pipes[3].close()
        for thread in made.threads:
            thread.join(10)
        made.pipes[0].close()
        made.pipes[2].close()


def test_replies_find_their_requests_in_any_order_and_both_ways() -> None:
    with ends() as it:
        slow = it.here.begin("echo", {"said": "late", "after_s": 0.2})
        assert it.here.ask("echo", {"said": [1, None]}) == [1, None]
        assert it.there.ask("echo", {"said": "back"}) == "back"
        assert slow.wait(10)
        assert slow.result() == "late"
        with pytest.raises(AskingFailed, match="LookupError: what"):
            it.here.ask("what", {})


@pytest.mark.feature("BRG-07")
def test_brg_07_a_message_that_is_too_long_is_neither_sent_nor_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ends(most=2_000) as it:
        with pytest.raises(FrameIsTooLarge, match="2000 are the most"):
            it.here.ask("echo", {"said": "x" * 2_000})
        with pytest.raises(AskingFailed, match=r"engine\.frame_too_large"):
            it.here.ask("long", {})
        assert it.here.ask("echo", {"said": "on"}) == "on"  # nothing of either was sent
        waiting = it.here.begin("echo", {"said": "never", "after_s": 0.5})
        it.raw.write((2_001).to_bytes(4, "big") + b"{")
        it.raw.flush()
        assert waiting.wait(10)
        with pytest.raises(ChannelIsClosed):
            waiting.result()
        with pytest.raises(ChannelIsClosed):
            it.here.ask("echo", {})
    assert "A message has 2001 bytes; 2000 are the most." in caplog.text


@pytest.mark.feature("BRG-07")
def test_brg_07_a_late_reply_is_dropped_and_counted_and_one_to_nothing_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ends() as it:
        pending = it.here.begin("echo", {"said": "too late", "after_s": 0.2})
        it.here.give_up(pending)
        it.here.give_up(pending)
        deadline_s = time.monotonic() + 10
        while not it.here.late and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert it.here.late == 1
        assert not pending.wait(0)
        assert not caplog.records
        write_frame(it.raw, {"re": 999, "result": None})
        assert it.here.ask("echo", {"said": "still here"}) == "still here"
    assert "A reply to request 999 came, which was never made." in caplog.text
    assert it.here.late == 1


@pytest.mark.parametrize(
    "broken", [b"\0\0\0\x05{", b"\0\0", b"\0\0\0\x02[]", b"\0\0\0\x02{[", b"\0\0\0\x01\xff"]
)
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    with pytest.raises(FrameIsBroken):
        read_frame(io.BytesIO(broken))


def test_a_message_is_its_length_in_four_bytes_and_json() -> None:
    written = io.BytesIO()
    write_frame(written, {"id": 1, "word": "é"})
    sent = written.getvalue()
    assert int.from_bytes(sent[:4], "big") == len(sent) - 4
    assert json.loads(sent[4:]) == {"id": 1, "word": "é"}
    written.seek(0)
    assert read_frame(written) == {"id": 1, "word": "é"}
    assert read_frame(written) is None
