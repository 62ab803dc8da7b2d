"""A program under governance: its immutable versions, its stage, and which version is live."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, NamedTuple, Self, assert_never
from uuid import UUID

from pydantic import JsonValue

from domain.kernel import Aggregate
from domain.program.errors import ActionIsNotAllowed, ProgramVersionNotFound
from domain.program.events import (
    ProgramCompiled,
    ProgramCreated,
    ProgramDeployed,
    ProgramEvent,
    ProgramRetired,
    ProgramTestingStarted,
)
from domain.program.graph import ProgramGraph
from domain.program.rules import check
from domain.program.values import ALLOWED, LEADS_TO, Action, Evidence, Stage
from domain.values import PayloadRef, Score


class VersionState(NamedTuple):
    """One version, which never changes: its graph and, once compiled, the state that was found."""

    graph: ProgramGraph
    state: PayloadRef | None
    optimization_id: UUID | None


class Program(Aggregate[ProgramEvent]):
    KIND: ClassVar[str] = "program"

    name: str

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.description: str | None = None
        self.default_optimizer: str | None = None
        self.config: dict[str, JsonValue] = {}
        self.stage = Stage.DRAFT
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
        )
        return cls.begin(id, event, at=at)

    @property
    def latest_version(self) -> int:
        """The newest version of the program; ``version`` is that of its history."""
        return len(self._versions)

    @property
    def graph(self) -> ProgramGraph:
        """What all versions have in common: compiling changes prompts, never the graph."""
        return self._versions[-1].graph

    @property
    def compiled_from(self) -> UUID | None:
        """The optimization that found the latest version."""
        return self._versions[-1].optimization_id

    @property
    def allowed_actions(self) -> tuple[Action, ...]:
        """What the stage allows now."""
        return ALLOWED[self.stage]

    def version_state(self, number: int) -> VersionState:
        """What version *number* is.

        Raises:
            ProgramVersionNotFound: There is no such version.
        """
        if not 1 <= number <= self.latest_version:
            raise ProgramVersionNotFound(self.id, number, self.latest_version)
        return self._versions[number - 1]

    def require(self, action: Action) -> None:
        """Refuse to go on unless the stage allows *action*.

        Raises:
            ActionIsNotAllowed: It names what is allowed instead.
        """
        if action not in ALLOWED[self.stage]:
            raise ActionIsNotAllowed(self.id, action, self.stage, self.allowed_actions)

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
        at: datetime,
    ) -> None:
        """Make what an optimization found the next version. A second time changes nothing.

        Raises:
            ActionIsNotAllowed: The program is retired.
            ProgramVersionNotFound: The version that was optimized does not exist.
        """
        if any(each.optimization_id == optimization_id for each in self._versions):
            return
        self.require(Action.COMPILE)
        self.version_state(base_version)
        event = ProgramCompiled(
            new_version=self.latest_version + 1,
            base_version=base_version,
            optimization_id=optimization_id,
            optimizer=optimizer,
            state=state,
            training_score=training_score,
        )
        self.record(event, at=at)

    def deploy(
        self, number: int | None, reason: str, evidence: tuple[Evidence, ...], *, at: datetime
    ) -> None:
        """Make version *number*, or the latest one, live. If it is already, nothing changes.

        Raises:
            ActionIsNotAllowed: The program is retired.
            ProgramVersionNotFound: There is no such version.
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

    def retire(self, reason: str, *, at: datetime) -> None:
        """End its life; its versions and runs stay readable. A second time changes nothing."""
        if self.stage is not Stage.RETIRED:
            self.record(ProgramRetired(reason=reason), at=at)

    def evolve(self, event: ProgramEvent) -> None:
        match event:
            case ProgramCreated():
                self.name, self.description = event.name, event.description
                self.config, self.default_optimizer = event.config, event.default_optimizer
                self._versions.append(VersionState(event.graph, None, None))
            case ProgramTestingStarted():
                self.stage = LEADS_TO[Action.START_TESTING]
            case ProgramCompiled():
                graph = self._versions[event.base_version - 1].graph
                self._versions.append(VersionState(graph, event.state, event.optimization_id))
            case ProgramDeployed():
                self.deployed_version = event.program_version
                self.stage = LEADS_TO[Action.DEPLOY]
            case ProgramRetired():
                self.stage = LEADS_TO[Action.RETIRE]
            case _:
                assert_never(event)
