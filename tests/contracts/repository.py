"""What every repository promises: the one over Postgres and the fake are held to the same words."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from application.context import Context, within
from application.errors import (
    AggregateNotFound,
    ConcurrentWrite,
    IdempotencyKeyReused,
    IdIsUnusable,
    NameIsTaken,
)
from application.payloads import Payload
from application.ports import Claim, Names, Receipt, Repository
from application.reacting import Reaction, reaction_id
from domain.kernel import Aggregate, Recorded
from domain.module.events import ModuleRetired
from domain.program.events import ProgramRetired

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CONTEXT = Context("acme", "ada", UUID(int=7), command="Note", command_id="first")


class Notes(Aggregate[ProgramRetired]):
    """The least an aggregate can be: it remembers every reason it was given."""

    KIND: ClassVar[str] = "program"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.reasons: list[str] = []

    def note(self, *reasons: str) -> "Notes":
        for reason in reasons:
            self.record(ProgramRetired(reason=reason), at=NOW)
        return self

    def evolve(self, event: ProgramRetired) -> None:
        self.reasons.append(event.reason)


class OtherKind(Aggregate[ModuleRetired]):
    KIND: ClassVar[str] = "module"

    def evolve(self, event: ModuleRetired) -> None:
        del event


@pytest.mark.feature("VIS-06")
class RepositoryContract(ABC):
    """Run over the log in Postgres and over the one in memory: the same words, word for word."""

    @abstractmethod
    def repository(self) -> Repository[Notes]: ...

    @abstractmethod
    def of_another_kind(self) -> Repository[OtherKind]: ...

    @abstractmethod
    def names(self) -> Names: ...

    @abstractmethod
    def recorded(self, id: UUID) -> Sequence[Recorded]:
        """The events of a stream with their envelopes."""
        ...

    def saved(
        self, *reasons: str, context: Context = CONTEXT, claim: str | None = None
    ) -> tuple[Notes, Receipt]:
        notes = Notes(uuid4()).note(*reasons)
        with within(context):
            taken = Claim("program", claim, notes.id) if claim else None
            return notes, self.repository().save(notes, claim=taken)

    def test_what_was_saved_is_found_again(self) -> None:
        notes, receipt = self.saved("a", "b")
        with within(CONTEXT):
            found = self.repository().get(notes.id)
        assert (found.reasons, found.version) == (["a", "b"], 2)
        assert receipt == Receipt(notes.id, 2, receipt.position)
        assert receipt.position > 0

    def test_an_aggregate_is_seen_as_of_a_version(self) -> None:
        notes, _ = self.saved("a", "b", "c")
        with within(CONTEXT):
            assert self.repository().get(notes.id, version=2).reasons == ["a", "b"]

    def test_what_was_never_saved_is_not_found(self) -> None:
        with within(CONTEXT), pytest.raises(AggregateNotFound):
            self.repository().get(uuid4())

    def test_version_0_of_anything_is_not_found(self) -> None:
        notes, _ = self.saved("a")
        with within(CONTEXT), pytest.raises(AggregateNotFound):
            self.repository().get(notes.id, version=0)

    def test_another_tenant_does_not_find_it(self) -> None:
        notes, _ = self.saved("a")
        with within(replace(CONTEXT, tenant="other")), pytest.raises(AggregateNotFound):
            self.repository().get(notes.id)

    def test_another_tenant_cannot_use_its_id_and_is_not_told_why(self) -> None:
        notes, _ = self.saved("a")
        with within(replace(CONTEXT, tenant="other")):
            with pytest.raises(IdIsUnusable):
                self.repository().save(Notes(notes.id).note("mine"))
            with pytest.raises(AggregateNotFound):
                self.repository().get(notes.id)
        with within(CONTEXT):
            assert self.repository().get(notes.id).reasons == ["a"]

    def test_an_aggregate_of_another_kind_is_not_found(self) -> None:
        notes, _ = self.saved("a")
        with within(CONTEXT), pytest.raises(AggregateNotFound):
            self.of_another_kind().get(notes.id)

    def test_saving_without_new_events_appends_nothing(self) -> None:
        notes, _ = self.saved("a")
        with within(CONTEXT):
            assert self.repository().save(notes) == Receipt(notes.id, 1, 0)

    def test_of_two_writers_who_saw_the_same_state_the_first_wins(self) -> None:
        notes, _ = self.saved("a")
        with within(CONTEXT):
            one, other = self.repository().get(notes.id), self.repository().get(notes.id)
            self.repository().save(one.note("one"))
            with pytest.raises(ConcurrentWrite):
                self.repository().save(other.note("other"))
            assert self.repository().get(notes.id).reasons == ["a", "one"]

    def test_what_is_decided_in_reaction_is_appended_with_it(self) -> None:
        notes = Notes(uuid4()).note("a", "b")
        reaction: Reaction[Notes] = Reaction("Answer", "f" * 64, lambda it: it.note("c"))
        with within(replace(CONTEXT, fingerprint="e" * 64)):
            receipt = self.repository().save(notes, reaction=reaction)
            assert self.repository().get(notes.id).reasons == ["a", "b", "c"]
        assert (receipt.version, notes.collect()) == (3, ())
        said, _, answered = self.recorded(notes.id)
        assert said.envelope.command == CONTEXT.command
        assert (answered.envelope.command, answered.envelope.causation_id) == (
            "Answer",
            said.envelope.event_id,
        )
        assert answered.envelope.command_id == str(reaction_id(said.envelope.event_id, "f" * 64))

    def test_a_name_is_taken_once_in_a_tenant(self) -> None:
        notes, _ = self.saved("a", claim="spam")
        with pytest.raises(NameIsTaken):
            self.saved("b", claim="spam")
        self.saved("c", claim="spam", context=replace(CONTEXT, tenant="other"))
        with within(CONTEXT):
            assert self.names().holder("program", "spam") == notes.id
            assert self.names().holder("module", "spam") is None

    def test_holders_are_found_by_how_their_names_begin(self) -> None:
        made = {name: self.saved("a", claim=name)[0].id for name in ("p.b", "p.a", "p", "p_c")}
        self.saved("a", claim="p.x", context=replace(CONTEXT, tenant="other"))
        with within(CONTEXT):
            assert self.names().holders("program", "p.") == [made["p.a"], made["p.b"]]
            assert self.names().holders("program", "p%") == []
            assert self.names().holders("module", "p.") == []

    def test_the_holder_may_claim_its_name_again(self) -> None:
        notes, _ = self.saved("a", claim="spam")
        with within(CONTEXT):
            again = Claim("program", "spam", notes.id)
            assert self.repository().save(notes.note("b"), claim=again).version == 2

    def test_what_is_refused_leaves_no_event_and_no_name(self) -> None:
        notes, _ = self.saved("a")
        with within(CONTEXT):
            late = Notes(notes.id).note("late")
            with pytest.raises(ConcurrentWrite):
                self.repository().save(late, claim=Claim("program", "ham", notes.id))
            assert self.names().holder("program", "ham") is None

    def test_the_first_receipt_of_a_key_wins(self) -> None:
        keyed = replace(CONTEXT, fingerprint="f" * 64)
        _, first = self.saved("a", context=keyed)
        again, second = self.saved("a", context=keyed)
        assert second == first
        with within(CONTEXT), pytest.raises(AggregateNotFound):
            self.repository().get(again.id)

    def test_a_key_is_not_good_for_another_command(self) -> None:
        self.saved("a", context=replace(CONTEXT, fingerprint="f" * 64))
        with pytest.raises(IdempotencyKeyReused):
            self.saved("a", context=replace(CONTEXT, fingerprint="e" * 64))

    def test_a_key_of_another_tenant_is_another_key(self) -> None:
        keyed = replace(CONTEXT, fingerprint="f" * 64)
        _, first = self.saved("a", context=keyed)
        _, second = self.saved("a", context=replace(keyed, tenant="other"))
        assert second.id != first.id

    def test_a_keyed_command_that_changed_nothing_has_a_receipt_too(self) -> None:
        notes, _ = self.saved("a")
        keyed = replace(CONTEXT, command_id="second", fingerprint="f" * 64)
        with within(keyed):
            assert self.repository().save(notes) == Receipt(notes.id, 1, 0)
            assert self.repository().save(notes.note("late")) == Receipt(notes.id, 1, 0)

    def test_payloads_go_with_the_append(self) -> None:
        notes = Notes(uuid4()).note("a")
        with within(CONTEXT):
            self.repository().save(notes, payloads=[Payload.of({"q": 1})])
        assert self.payloads() == [Payload.of({"q": 1}).ref.digest]

    @abstractmethod
    def payloads(self) -> list[str]:
        """The digests of what went with the appends so far."""
