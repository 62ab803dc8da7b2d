"""Small read models for the tests of what runs projections."""

from collections.abc import Iterable
from typing import ClassVar, LiteralString

from domain.kernel import Event, Recorded
from domain.module.events import ModuleRetired
from domain.program.events import ProgramRetired
from projections.kernel import Projection, Write


class NoteBoard(Projection):
    """One row for each stream; a stream's last reason and how often it was noted."""

    name: ClassVar[str] = "note_board"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = """
        CREATE TABLE notes (id uuid PRIMARY KEY, reason text NOT NULL, times integer NOT NULL);
        CREATE INDEX notes_reason ON notes (reason);
    """
    events: ClassVar[tuple[type[Event], ...]] = (ProgramRetired,)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        assert isinstance(recorded.event, ProgramRetired)
        row = {"id": recorded.originator_id, "reason": recorded.event.reason}
        if recorded.originator_version == 1:
            yield Write("INSERT INTO notes VALUES (%(id)s, %(reason)s, 1)", row)
        else:
            yield Write(
                "UPDATE notes SET reason = %(reason)s, times = times + 1 WHERE id = %(id)s", row
            )


class RebuiltNoteBoard(NoteBoard):
    version: ClassVar[int] = 2


class FussyBoard(NoteBoard):
    """Cannot stand one reason."""

    name: ClassVar[str] = "fussy_board"
    tries: int = 0

    def project(self, recorded: Recorded) -> Iterable[Write]:
        assert isinstance(recorded.event, ProgramRetired)
        if recorded.event.reason == "poison":
            self.tries += 1
            yield Write("SELECT 1 / 0", {})
        yield from super().project(recorded)


class ModuleBoard(Projection):
    """Wants events that these tests do not write."""

    name: ClassVar[str] = "module_board"
    version: ClassVar[int] = 1
    schema: ClassVar[LiteralString] = "CREATE TABLE modules (id uuid PRIMARY KEY)"
    events: ClassVar[tuple[type[Event], ...]] = (ModuleRetired,)

    def project(self, recorded: Recorded) -> Iterable[Write]:
        raise AssertionError(recorded)


class BrokenSchema(ModuleBoard):
    name: ClassVar[str] = "broken_schema"
    schema: ClassVar[LiteralString] = "CREATE TABEL modules"
