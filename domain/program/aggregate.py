"""A program under governance: its immutable versions, its stage, and which version is live."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Self, assert_never
from uuid import UUID

from pydantic import JsonValue

from domain.kernel import Aggregate
from domain.program.errors import ActionIsNotAllowed, ProgramIsArchived, ProgramVersionNotFound
from domain.program.events import (
    ProgramArchived,
    ProgramCompiled,
    ProgramConfigured,
    ProgramCreated,
    ProgramDeployed,
    ProgramDescribed,
    ProgramEvent,
    ProgramRenamed,
    ProgramRestored,
    ProgramRetired,
    ProgramRevised,
    ProgramTestingStarted,
    ProgramVersionEdited,
    ProgramVersionImported,
    ProgramVersionRestored,
)
from domain.program.graph import ProgramGraph
from domain.program.rules import check
from domain.program.values import (
    ALLOWED,
    ALLOWED_IN_ARCHIVE,
    LEADS_TO,
    Action,
    Evidence,
    Pins,
    Stage,
)
from domain.program.versions import VersionState, made
from domain.values import PayloadRef, Score


class Program(Aggregate[ProgramEvent]):
    KIND: ClassVar[str] = "program"

    name: str

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.description: str | None = None
        self.default_optimizer: str | None = None
        self.config: dict[str, JsonValue] = {}
        self.stage = Stage.DRAFT
        self.is_archived = False
        self.deployed_version: int | None = None
        self._versions: list[VersionState] = []

    @classmethod
    def create(
        cls,
        id: UUID,
        name: str,
        graph: ProgramGraph,
        *,
        description: str | None = None,
        config: Mapping[str, JsonValue] = MappingProxyType({}),
        default_optimizer: str | None = None,
        pins: Pins = Pins(),  # noqa: B008 - a value, it never changes
        at: datetime,
    ) -> Self:
        """Write version 1.

        Raises:
            InvalidGraph: The graph cannot run.
        """
        event = ProgramCreated(
            name=name,
            description=description,
            config=dict(config),
            graph=check(graph),
            default_optimizer=default_optimizer,
            pins=pins,
        )
        return cls.begin(id, event, at=at)

    @property
    def latest_version(self) -> int:
        """The newest version of the program; ``version`` is that of its history."""
        return len(self._versions)

    @property
    def graph(self) -> ProgramGraph:
        """The graph of the latest version."""
        return self._versions[-1].graph

    @property
    def compiled_from(self) -> UUID | None:
        """The optimization that found the latest version."""
        return self._versions[-1].optimization_id

    @property
    def versions(self) -> tuple[VersionState, ...]:
        """Every version, the first one first."""
        return tuple(self._versions)

    @property
    def allowed_actions(self) -> tuple[Action, ...]:
        """What the stage allows now, or the archive."""
        return ALLOWED_IN_ARCHIVE if self.is_archived else ALLOWED[self.stage]

    def version_state(self, number: int) -> VersionState:
        """What version *number* is.

        Raises:
            ProgramVersionNotFound: There is no such version.
        """
        if not 1 <= number <= self.latest_version:
            raise ProgramVersionNotFound(self.id, number, self.latest_version)
        return self._versions[number - 1]

    def require(self, action: Action) -> None:
        """Refuse to go on unless *action* is allowed now.

        Raises:
            ActionIsNotAllowed: The stage forbids it; it names what is allowed instead.
            ProgramIsArchived: It has to be restored first.
        """
        if action in self.allowed_actions:
            return
        if self.is_archived:
            raise ProgramIsArchived(self.id, action)
        raise ActionIsNotAllowed(self.id, action, self.stage, self.allowed_actions)

    def rename(self, name: str, *, at: datetime) -> None:
        """Call it *name*. The name it has changes nothing.

        Raises:
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.DESCRIBE)
        if name != self.name:
            self.record(ProgramRenamed(name=name, former_name=self.name), at=at)

    def describe(self, description: str | None, *, at: datetime) -> None:
        """Say what it is for. The same words change nothing.

        Raises:
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.DESCRIBE)
        if description != self.description:
            self.record(ProgramDescribed(description=description), at=at)

    def configure(
        self, config: Mapping[str, JsonValue], default_optimizer: str | None, *, at: datetime
    ) -> None:
        """Set what is known of it besides its versions. Equal settings change nothing.

        Raises:
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.DESCRIBE)
        if (config, default_optimizer) != (self.config, self.default_optimizer):
            event = ProgramConfigured(config=dict(config), default_optimizer=default_optimizer)
            self.record(event, at=at)

    def start_testing(self, *, at: datetime) -> None:
        """Leave the draft stage. A second time changes nothing.

        Raises:
            ActionIsNotAllowed: The program is further already.
        """
        if self.stage is not Stage.TESTING:
            self.require(Action.START_TESTING)
            self.record(ProgramTestingStarted(), at=at)

    def compile(
        self,
        *,
        base_version: int,
        optimization_id: UUID,
        optimizer: str,
        state: PayloadRef,
        training_score: Score | None,
        libraries: Mapping[str, str] = MappingProxyType({}),
        at: datetime,
    ) -> None:
        """Make what an optimization found the next version. A second time changes nothing.

        An archived program takes it, too: it was paid for, and nothing runs of it.

        Raises:
            ActionIsNotAllowed: The program is retired.
            ProgramVersionNotFound: The version that was optimized does not exist.
        """
        if any(each.optimization_id == optimization_id for each in self._versions):
            return
        if not self.is_archived:
            self.require(Action.COMPILE)
        adapter = self.version_state(base_version).pins.adapter
        event = ProgramCompiled(
            new_version=self.latest_version + 1,
            base_version=base_version,
            optimization_id=optimization_id,
            optimizer=optimizer,
            state=state,
            training_score=training_score,
            pins=Pins(adapter=adapter, libraries=dict(libraries)),
        )
        self.record(event, at=at)

    def revise(self, graph: ProgramGraph, pins: Pins, reason: str, *, at: datetime) -> None:
        """Write the next version as *graph*, which keeps the adapter unless *pins* has another.

        The graph of the latest version changes nothing.

        Raises:
            InvalidGraph: The graph cannot run.
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.EDIT)
        kept = check(graph)
        if kept != self.graph:
            event = ProgramRevised(
                new_version=self.latest_version + 1,
                base_version=self.latest_version,
                graph=kept,
                pins=pins,
                reason=reason,
            )
            self.record(event, at=at)

    def edit(
        self,
        base_version: int,
        predictors: Iterable[str],
        edits: PayloadRef | None,
        pins: Pins,
        reason: str,
        *,
        at: datetime,
    ) -> None:
        """Make *base_version* with all of *edits* the next version, unless it is just that.

        Args:
            base_version: What is edited.
            predictors: Whose instructions or demos are changed now.
            edits: Where all edits since the base's state lie, the present ones among them.
            pins: The adapter and libraries of the new version.
            reason: Why.
            at: When.

        Raises:
            ProgramVersionNotFound: There is no such version.
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.EDIT)
        base = self.version_state(base_version)
        if (edits, pins.adapter) == (base.edits, base.pins.adapter):
            return
        event = ProgramVersionEdited(
            new_version=self.latest_version + 1,
            base_version=base_version,
            predictors=tuple(predictors),
            edits=edits,
            pins=pins,
            reason=reason,
        )
        self.record(event, at=at)

    def restore_version(self, number: int, reason: str, *, at: datetime) -> None:
        """Make version *number* the next one once more. The latest one changes nothing.

        Raises:
            ProgramVersionNotFound: There is no such version.
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.EDIT)
        self.version_state(number)
        if number != self.latest_version:
            event = ProgramVersionRestored(
                new_version=self.latest_version + 1, restored_version=number, reason=reason
            )
            self.record(event, at=at)

    def take_in(self, made: ProgramRevised | ProgramVersionImported, *, at: datetime) -> None:
        """Take a version that was made elsewhere as the next one.

        Raises:
            ProgramVersionNotFound: There is none that it could be made of.
        """
        self.version_state(made.base_version)
        self.record(made, at=at)

    def deploy(
        self, number: int | None, reason: str, evidence: tuple[Evidence, ...], *, at: datetime
    ) -> None:
        """Make version *number*, or the latest one, live. If it is already, nothing changes.

        Raises:
            ProgramVersionNotFound: There is no such version.
            ActionIsNotAllowed, ProgramIsArchived: See ``require``.
        """
        self.require(Action.DEPLOY)
        chosen = self.latest_version if number is None else number
        self.version_state(chosen)
        if chosen == self.deployed_version:
            return
        event = ProgramDeployed(
            program_version=chosen,
            previous_version=self.deployed_version,
            reason=reason,
            evidence=evidence,
        )
        self.record(event, at=at)

    def archive(self, reason: str, *, at: datetime) -> None:
        """Put it away until it is restored. A second time changes nothing.

        Raises:
            ActionIsNotAllowed: It is retired.
        """
        if not self.is_archived:
            self.require(Action.ARCHIVE)
            self.record(ProgramArchived(reason=reason), at=at)

    def restore(self, *, at: datetime) -> None:
        """Take it out of the archive, as it was. One that is not there stays as it is."""
        if self.is_archived:
            self.record(ProgramRestored(), at=at)

    def retire(self, reason: str, *, at: datetime) -> None:
        """End its life; its versions and runs stay readable. A second time changes nothing."""
        if self.stage is not Stage.RETIRED:
            self.record(ProgramRetired(reason=reason), at=at)

    def evolve(self, event: ProgramEvent) -> None:
        match event:
            case ProgramCreated():
                self.name, self.description = event.name, event.description
                self.config, self.default_optimizer = event.config, event.default_optimizer
                self._versions.append(made(event, self._versions))
            case (
                ProgramCompiled()
                | ProgramRevised()
                | ProgramVersionEdited()
                | ProgramVersionRestored()
                | ProgramVersionImported()
            ):
                self._versions.append(made(event, self._versions))
            case ProgramRenamed() | ProgramDescribed() | ProgramConfigured():
                self._describe(event)
            case (
                ProgramTestingStarted()
                | ProgramDeployed()
                | ProgramArchived()
                | ProgramRestored()
                | ProgramRetired()
            ):
                self._move(event)
            case _:
                assert_never(event)

    def _describe(self, event: ProgramRenamed | ProgramDescribed | ProgramConfigured) -> None:
        match event:
            case ProgramRenamed():
                self.name = event.name
            case ProgramDescribed():
                self.description = event.description
            case ProgramConfigured():
                self.config, self.default_optimizer = event.config, event.default_optimizer
            case _:
                assert_never(event)

    def _move(
        self,
        event: ProgramTestingStarted
        | ProgramDeployed
        | ProgramArchived
        | ProgramRestored
        | ProgramRetired,
    ) -> None:
        match event:
            case ProgramTestingStarted():
                self.stage = LEADS_TO[Action.START_TESTING]
            case ProgramDeployed():
                self.deployed_version = event.program_version
                self.stage = LEADS_TO[Action.DEPLOY]
            case ProgramArchived():
                self.is_archived = True
            case ProgramRestored():
                self.is_archived = False
            case ProgramRetired():
                self.stage, self.is_archived = LEADS_TO[Action.RETIRE], False
            case _:
                assert_never(event)
