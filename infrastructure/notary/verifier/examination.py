"""The examination of a log: its events against what the notary kept, and that against its word."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, NamedTuple, Sequence

from infrastructure.notary.verifier.leaves import Event, leaf
from infrastructure.notary.verifier.notes import Checkpoint, Key
from infrastructure.notary.verifier.tree import Frontier, consistency_holds, leaf_hash

REMEMBERED = 64
"""Changed events that are compared with each other, to see which have changed places."""
LISTED = 1000
JOINED = ("changed", "missing", "inserted", "misplaced")
"""Kinds of findings of which neighbours are told as one."""
EVERY = 10_000


class Kept(NamedTuple):
    """What the notary kept of an event: its position and the hash of its leaf."""

    position: int
    hash: bytes


class Proof(NamedTuple):
    """That the tree of *new* leaves begins with that of *old* leaves."""

    old: int
    new: int
    path: tuple[bytes, ...]


@dataclass
class Log:
    """What is examined; an event that cannot be read is a sentence in its place.

    ``away`` are stretches of positions, both ends included, whose events are said to have been
    taken out as a policy allows; ``base`` is the tree before the first event; ``outside`` are
    checkpoints that were kept elsewhere; ``unreadable`` says what is wrong with what is none.
    """

    origin: str
    events: Iterable[Event | str]
    kept: Iterable[Kept]
    away: Sequence[tuple[int, int]]
    checkpoints: Sequence[Checkpoint]
    outside: Sequence[Checkpoint]
    unreadable: Sequence[str]
    proofs: Sequence[Proof]
    keys: Sequence[Key]
    base: Frontier


@dataclass
class Finding:
    """What is wrong, and where: *count* events from position *first* to *last*."""

    kind: str
    first: int
    last: int
    about: str
    count: int = 1
    positions: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        place = f"position {self.first}"
        if self.last > self.first:
            link = "and" if self.kind == "swapped" else "to"
            place = f"positions {self.first} {link} {self.last}"
        many = f" ({self.count} events, the first: " if self.count > 1 else " ("
        return f"{self.kind.upper():<10} {place}{many}{self.about})"


@dataclass
class Report:
    """What was examined and found. ``signed`` is the last checkpoint that the log agrees with.

    ``size`` counts the leaves of the tree, with the ``base`` before the first event; ``others`` are
    checkpoints by keys that were not given, below ``signed``; ``unchecked`` are older than the
    first event, without a proof.
    """

    base: int = 0
    events: int = 0
    first: int = 0
    last: int = 0
    size: int = 0
    signed: Checkpoint | None = None
    agreed: int = 0
    disagreed: int = 0
    proofs: int = 0
    others: int = 0
    unchecked: int = 0
    away: int = 0
    unlisted: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def unsigned(self) -> int:
        """How many of the last events no checkpoint has signed yet."""
        return self.size - (self.signed.size if self.signed else 0)


def examine(log: Log, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Examine *log* to its end, whatever is found; *progress* hears how many events were seen."""
    return _Examination(log, progress).run()


class _Examination:
    def __init__(self, log: Log, progress: Callable[[int], None]) -> None:
        self.log, self.progress = log, progress
        self.report = Report(base=log.base.size)
        self.tree = Frontier(log.base.size, log.base.roots)
        self.position = 0  # of the last leaf
        self.highest = 0  # position of a leaf so far
        self.due: deque[Checkpoint] = deque()
        self.older: list[Checkpoint] = []
        self.others: list[Checkpoint] = []
        self.agreed: dict[int, Checkpoint] = {}
        self.changed: dict[int, tuple[Event, bytes]] = {}
        self.open: Finding | None = None

    def run(self) -> Report:
        self._sort()
        self._compare()
        self._walk()
        self._end()
        self._prove()
        self._pair()
        report, signed = self.report, self.report.signed
        report.size, report.agreed = self.tree.size, len(self.agreed)
        for each in self.others:
            if signed is not None and each.size <= signed.size:
                report.others += 1
            else:
                self._note("forged", each.position, f"{each} is signed by none of the keys given")
        if report.size and signed is None and not report.findings:
            self._note("unsigned", report.last, "no checkpoint vouches for any of this log")
        return report

    def _sort(self) -> None:
        """Keep the checkpoints that are the notary's word; the others say nothing."""
        for complaint in self.log.unreadable:
            self._note("unreadable", 0, complaint)
        known = {*self.log.checkpoints, *self.log.outside}
        for each in sorted(known, key=lambda it: (it.size, it.text)):
            is_signed = each.is_signed_by(self.log.keys)
            if each.origin != self.log.origin:
                self._note("foreign", each.position, f"{each} is of another log, {each.origin}")
            elif is_signed is None:
                self.others.append(each)
            elif not is_signed:
                self._note("forged", each.position, f"the signature under {each} is false")
            elif each.size < self.tree.size:
                self.older.append(each)
            else:
                self.due.append(each)

    def _walk(self) -> None:
        kept = iter(self.log.kept)
        entry = next(kept, None)
        for event in self._events():
            while entry is not None and entry.position < event.position:
                self._miss(entry)
                entry = next(kept, None)
            hashed = leaf_hash(leaf(event))
            if entry is None:
                self._grow(event.position, hashed)
            elif entry.position > event.position:
                self._note("inserted", event.position, f"the notary never saw it: {event}")
            else:
                if hashed == entry.hash:
                    self.open = None
                else:
                    self._change(event, entry.hash)
                self._grow(*entry)
                entry = next(kept, None)
        while entry is not None:
            self._miss(entry)
            entry = next(kept, None)

    def _events(self) -> Iterator[Event]:
        """The events in order; what is none, or out of order, is noted."""
        report = self.report
        for event in self.log.events:
            if isinstance(event, str):
                self._note("unreadable", report.last, event)
            elif report.events and event.position <= report.last:
                self._note("misplaced", event.position, f"it comes after {report.last}: {event}")
            else:
                report.first = report.first if report.events else event.position
                report.last = event.position
                report.events += 1
                if not report.events % EVERY:
                    self.progress(report.events)
                yield event

    def _miss(self, entry: Kept) -> None:
        if entry.position <= self.highest:
            about = f"it is gone, and was kept as if before position {self.highest}"
            self._note("missing", entry.position, about)
        elif any(first <= entry.position <= last for first, last in self.log.away):
            self.report.away += 1
        else:
            self._note("missing", entry.position, "it was here and is gone")
        self._grow(*entry)

    def _grow(self, position: int, hashed: bytes) -> None:
        self.tree.append(hashed)
        self.position, self.highest = position, max(position, self.highest)
        if self.due and self.due[0].size == self.tree.size:
            self._compare()

    def _compare(self) -> None:
        """Hold the tree as it is now against the checkpoints of its size."""
        root, before = self.tree.root(), self.report.signed
        while self.due and self.due[0].size == self.tree.size:
            each = self.due.popleft()
            if each.root == root and self.position in (0, each.position):
                self.report.signed = self.agreed[each.size] = each
            else:
                self.report.disagreed += 1
                if self.report.disagreed == 1:  # the next ones disagree, as all lean on it
                    first = before.position + 1 if before else 1
                    self._note("rewritten", first, f"{each} signed another past", each.position)

    def _change(self, event: Event, was: bytes) -> None:
        self._note("changed", event.position, f"it is not what was signed; it says now: {event}")
        if len(self.changed) < REMEMBERED:
            self.changed[event.position] = (event, was)

    def _end(self) -> None:
        """What is signed and no longer there, neither as an event nor in what the notary kept."""
        if self.due:
            last, gone = self.due[-1], self.due[-1].size - self.tree.size
            about = f"{last} signed {gone} more than there are"
            self._note("missing", self.position + 1, about, last.position)
            self.report.findings[-1].count = gone

    def _prove(self) -> None:
        """Check the proofs; they also link checkpoints older than the first event to later ones."""
        known = {**{each.size: each for each in self.older}, **self.agreed}
        linked = set(self.agreed)
        for proof in sorted(self.log.proofs, key=lambda it: it.new, reverse=True):
            old, new = known.get(proof.old), known.get(proof.new)
            if old is None or new is None:
                continue
            if consistency_holds(old.root, new.root, old=proof.old, new=proof.new, path=proof.path):
                self.report.proofs += 1
                linked |= {proof.old} if proof.new in linked else set()
            else:
                about = f"{new} does not go on where {old} ended"
                self._note("rewritten", old.position + 1, about, new.position)
        self.report.unchecked = sum(each.size not in linked for each in self.older)

    def _pair(self) -> None:
        """Say of events that only changed places that they did."""
        pairs = {
            (here, there)
            for here in self.changed
            for there in self.changed
            if here < there and self._moved(here, there) and self._moved(there, here)
        }
        swapped = {position for pair in pairs for position in pair}
        self.report.findings = [
            each
            for each in self.report.findings
            if each.kind != "changed" or not swapped.issuperset(each.positions)
        ]
        for here, there in sorted(pairs):
            self._note("swapped", here, "the two have changed places", there)

    def _moved(self, here: int, there: int) -> bool:
        """Whether the event that is *here* now is the one that was *there*."""
        event, was = self.changed[here][0], self.changed[there][1]
        return leaf_hash(leaf(event._replace(position=there))) == was

    def _note(self, kind: str, first: int, about: str, last: int | None = None) -> None:
        """Note a finding; what goes on where the one before ended is one with it."""
        current = self.open
        if current is not None and current.kind == kind in JOINED and last is None:
            current.last, current.count = first, current.count + 1
        elif len(self.report.findings) < LISTED:
            current = self.open = Finding(kind, first, first if last is None else last, about)
            self.report.findings.append(current)
        else:
            self.report.unlisted += 1
            return
        if len(current.positions) <= REMEMBERED:
            current.positions.append(first)
