"""Records and the programs bound to them, over a memory log; a process may die at any moment."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from pydantic import JsonValue

from application.bindings import BindingHandlers, CreateBinding
from application.bound import BoundPrograms
from application.calls import CallHandlers
from application.commands import Command
from application.context import within
from application.executions import RequestExecution
from application.policies import reactions
from application.ports import Clock, PayloadStore, Receipt
from application.record_changes import RecordChanges
from application.records import CreateRecord, RecordHandlers
from domain.binding.aggregate import Binding
from domain.binding.values import FromRecord
from domain.execution.aggregate import Execution
from domain.program.aggregate import Program
from domain.record.aggregate import Record
from tests.support.memory import MemoryLog, MemoryNames, MemoryRepository
from tests.support.run_world import CONTEXT, MortalRepository, World


def record_handlers(
    log: MemoryLog,
    payloads: PayloadStore,
    clock: Clock,
    request: Callable[[RequestExecution], Receipt],
    *,
    records: MemoryRepository[Record] | None = None,
) -> Sequence[object]:
    """The handlers of records, bindings and calls; *request* asks for executions."""
    of = records or MemoryRepository(Record, log)
    bindings = MemoryRepository(Binding, log)
    bound = BoundPrograms(bindings, MemoryNames(log))
    changes = RecordChanges(of, bound, payloads)
    executions = MemoryRepository(Execution, log)
    return (
        RecordHandlers(changes, clock),
        BindingHandlers(bindings, MemoryRepository(Program, log), bound, clock),
        CallHandlers(of, bindings, executions, payloads, changes, request, clock),
    )


class BoundWorld(World):
    """A world with records. ``reactions`` are delivered by ``work``, once each and in order."""

    def __init__(self) -> None:
        self.worked = 0
        super().__init__()

    def beside(self, request: Callable[[RequestExecution], Receipt]) -> Sequence[object]:
        self.records = MortalRepository(Record, self.log)
        return record_handlers(self.log, self.payloads, self.clock, request, records=self.records)

    def due(self) -> list[Command]:
        """What follows from the facts since it was asked last, and nobody has done."""
        facts = self.log.recorded[self.worked :]
        self.worked += len(facts)
        return [command for recorded in facts for command in reactions(recorded)]

    def work(self) -> None:
        """Do what is due until nothing is."""
        while waiting := self.due():
            for command in waiting:
                self.do(command)

    def bind(self, name: str = "sort", **changes: Any) -> UUID:
        """Bind a program to the creation of tickets: their ``text`` gives their ``queue``."""
        wish: dict[str, Any] = {
            "binding_id": uuid4(),
            "name": name,
            "resource": "ticket",
            "inputs": {"message": FromRecord(pointer="/text")},
            "outputs": {"queue": "queue"},
            **changes,
        }
        if "program_id" not in wish:
            wish["program_id"] = self.a_program()
        return self.do(CreateBinding(**wish)).id

    def a_record(self, data: JsonValue = None) -> UUID:
        """A ticket with a text."""
        held: Any = {"text": "It crashes."} if data is None else data
        return self.do(CreateRecord(record_id=uuid4(), resource="ticket", data=held)).id

    def record(self, id: UUID) -> Record:
        with within(CONTEXT):
            return self.records.get(id)

    def data(self, id: UUID) -> JsonValue:
        """What a record holds."""
        with within(CONTEXT):
            return self.payloads.get(self.records.get(id).data)
