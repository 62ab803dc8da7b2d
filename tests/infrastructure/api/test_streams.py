"""The tail of the log: read once for all who are near its end, and never the reason for a gap."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.api import streams
from infrastructure.api.streams import Follower, Line, Streams, StreamsAreTooMany, Tail


@dataclass
class Source:
    """A log that counts how often it is read."""

    lines: list[Line] = field(default_factory=list[Line])
    reads: int = 0
    fails: bool = False

    def grow(self, count: int, text: bytes = b".") -> None:
        head = len(self.lines)
        self.lines += [Line(head + n, "acme", "a.b", text) for n in range(1, count + 1)]

    async def read(self, after: int, limit: int) -> Sequence[Line]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("The log is away.")
        return self.lines[after : after + limit]


async def everything_after(tail: Tail, source: Source, position: int) -> list[int]:
    """The positions that a follower at *position* is told, until there are no more."""
    told: list[int] = []
    while found := await tail.after(position, source.read):
        told += [each.position for each in found]
        position = told[-1]
    return told


def test_many_followers_read_once() -> None:
    async def follow() -> None:
        source, tail = Source(), Tail()
        source.grow(3)
        told = await asyncio.gather(*(tail.after(3, source.read) for _ in range(50)))
        assert [list(each or ()) for each in told] == [[]] * 50
        source.grow(2)
        tail.is_behind = True
        told = await asyncio.gather(*(tail.after(3, source.read) for _ in range(50)))
        assert [[line.position for line in each or ()] for each in told] == [[4, 5]] * 50
        assert source.reads == 2

    asyncio.run(follow())


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3)), max_size=12))
def test_a_follower_is_told_everything_once_or_to_read_itself(
    steps: list[tuple[int, int]],
) -> None:
    async def follow() -> None:
        source, tail = Source(), Tail()
        positions = [0, 0, 0, 0]
        for grown, who in steps:
            source.grow(grown)
            tail.is_behind = True
            told = await everything_after(tail, source, positions[who])
            if await tail.after(positions[who], source.read) is None:
                told = list(range(positions[who] + 1, len(source.lines) + 1))
            assert told == list(range(positions[who] + 1, len(source.lines) + 1))
            positions[who] = len(source.lines)

    asyncio.run(follow())


@pytest.mark.parametrize(("most", "bytes_"), [(10, 10**6), (10**6, 10)])
def test_it_keeps_a_bounded_part(monkeypatch: pytest.MonkeyPatch, most: int, bytes_: int) -> None:
    monkeypatch.setattr(streams, "_KEPT", most)
    monkeypatch.setattr(streams, "_KEPT_BYTES", bytes_)

    async def follow() -> None:
        source, tail = Source(), Tail()
        assert await tail.after(0, source.read) == []
        source.grow(100)
        tail.is_behind = True
        assert await tail.after(0, source.read) is None
        assert await tail.after(89, source.read) is None
        assert await everything_after(tail, source, 90) == list(range(91, 101))
        source.grow(1, b"x" * (bytes_ + 1))
        tail.is_behind = True
        assert await tail.after(101, source.read) == []

    asyncio.run(follow())


def test_whoever_finds_it_unreadable_reads_alone_and_it_recovers() -> None:
    async def follow() -> None:
        source, tail = Source(), Tail()
        source.grow(3)
        source.fails = True
        assert await tail.after(1, source.read) is None
        source.fails = False
        assert await everything_after(tail, source, 1) == [2, 3]

    asyncio.run(follow())


def test_a_follower_that_leaves_while_it_reads_for_all_keeps_nothing_from_them() -> None:
    async def follow() -> None:
        source, tail = Source(), Tail()
        assert await tail.after(0, source.read) == []
        source.grow(2)
        tail.is_behind = True

        async def leave(after: int, limit: int) -> Sequence[Line]:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await tail.after(0, leave)
        assert await everything_after(tail, source, 0) == [1, 2]

    asyncio.run(follow())


def test_a_follower_hears_what_rang_before_it_waits() -> None:
    async def follow() -> None:
        opened = Streams(most=1)
        with opened.opened("acme") as follower:
            follower.listen()
            opened.heard(None)
            await asyncio.wait_for(follower.wait(60), timeout=10)
            with pytest.raises(StreamsAreTooMany), opened.opened("others"):
                pass
        assert opened.count == 0

    asyncio.run(follow())


def test_a_tenant_leaves_places_for_others() -> None:
    async def follow() -> None:
        opened = Streams(most=3, most_of_a_tenant=2)
        with opened.opened("acme"), opened.opened("acme"):
            with pytest.raises(StreamsAreTooMany, match="2 open streams of tenant acme"):
                opened.opened("acme").__enter__()
            with opened.opened("others"):
                assert opened.count == 3
        with opened.opened("acme"):
            pass

    asyncio.run(follow())


def test_a_wait_ends_after_its_time() -> None:
    async def follow() -> None:
        await Follower("acme").wait(0.001)

    asyncio.run(follow())
