"""Graphs as people send them: one module or a whole graph, of what is in service."""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from application.errors import AggregateNotFound
from application.modules import ModuleSettings, signature_in_service, unknown_reference
from application.pointing import at, beneath
from application.ports import Repository
from application.probes import custom_of, probe_at, require_probed
from application.supplies import Supplies
from domain.module.aggregate import Module
from domain.module.parameters import KindParameters
from domain.module.rules import check_module
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.probe.aggregate import Probe
from domain.program.graph import ProgramGraph, module_nodes, single
from domain.program.needs import graph_needs
from domain.signature.aggregate import Signature
from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from domain.text import SafeText, storable

_A_NODE_ID = re.compile(r"[a-z][a-z0-9_]{0,62}$")

CODE_IS_REFUSED = (
    "A program is data, never code: send modules or graph instead. "
    "See docs/explanation/programs-are-graphs.md."
)


def _no_code(value: object) -> None:
    if value is not None:
        raise PydanticCustomError("program.code_refused", CODE_IS_REFUSED)


class ModuleChoice(BaseModel):
    """A module for a program: one from the shelf, a kind with a signature, or one of one's own.

    ``probe_id`` is the accepted probe of a module of one's own; it says all but ``config``.
    ``config`` overrides the settings of the module, or of the kind; ``parameters`` are the kind's,
    ``tools`` those of the shelf that it takes copies of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    module_id: UUID | None = None
    kind: ModuleKind | None = None
    signature_id: UUID | None = None
    signature_syntax: SafeText | None = None
    probe_id: UUID | None = None
    config: ModuleSettings = ModuleSettings()
    parameters: KindParameters = None
    tools: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        signatures = [it for it in (self.signature_id, self.signature_syntax) if it is not None]
        inline = self.kind not in (None, ModuleKind.CUSTOM) and len(signatures) == 1
        shelf = self.kind is None and not signatures
        alone = self.module_id is None or self.probe_id is None
        taken = self.module_id is not None or self.probe_id is not None
        if not ((shelf and alone) if taken else inline):
            raise PydanticCustomError(
                "module.one_way",
                "Send a module_id, a probe_id, or a kind with signature_id or signature_syntax.",
            )
        return self


class WrittenProgram(BaseModel):
    """A program as somebody writes it: as one module, or as a graph of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    modules: Annotated[tuple[ModuleChoice, ...], Field(min_length=1, max_length=1)] | None = None
    graph: Annotated[ProgramGraph, AfterValidator(storable)] | None = None
    forward: Annotated[None, BeforeValidator(_no_code)] = Field(
        default=None, validation_alias=AliasChoices("forward", "forward_fn")
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.modules is None) == (self.graph is None):
            raise PydanticCustomError("program.one_form", "Send either modules or graph.")
        return self

    def pointing(self) -> AbstractContextManager[None]:
        """Let every fault of the graph that the body raises lie where it was written."""
        return at("/modules/0") if self.graph is None else beneath("/graph")


@dataclass(frozen=True, slots=True)
class GraphReader:
    """Reads graphs whose modules and signatures are on the shelf."""

    modules: Repository[Module]
    signatures: Repository[Signature]
    supplies: Supplies
    probes: Repository[Probe]

    def read(self, written: WrittenProgram) -> ProgramGraph:
        """The graph of *written*, of copies of what it takes from the shelf.

        Raises:
            InvalidError: It names what does not exist, or a module that cannot be used.
            ModuleIsRetired, SignatureIsRetired: It takes no new users.
            ToolIsNotAllowed: A tool leads where nothing may be reached.
            ProbeIsNotAccepted: A module of one's own was not tried out, or refused.
        """
        graph = self._taken(written)
        with written.pointing():
            self.supplies.check(graph_needs(graph))
        return graph

    def _taken(self, written: WrittenProgram) -> ProgramGraph:
        if written.modules is not None:
            return self._of_one(written.modules[0])
        assert written.graph is not None
        for pointer, node in module_nodes(written.graph):
            if node.module_id is not None:
                self._module(node.module_id, f"/graph{pointer}/module_id")
            require_probed(self.probes, node.module, f"/graph{pointer}/module")
        return written.graph

    def _of_one(self, choice: ModuleChoice) -> ProgramGraph:
        if choice.probe_id is not None:
            return self._probed(choice, choice.probe_id)
        if choice.module_id is not None:
            spec = self._module(choice.module_id, "/modules/0/module_id").spec
        else:
            assert choice.kind is not None
            signature, config = self._signature(choice), DEFAULTS[choice.kind]
            spec = ModuleSpec(
                kind=choice.kind,
                signature=signature,
                config=config,
                parameters=self.supplies.with_tools(
                    choice.parameters, choice.tools, "/modules/0/tools"
                ),
            )
        chosen = spec.model_copy(update={"config": choice.config.over(spec.config)})
        with beneath("/modules/0"):
            check_module(chosen)
        return single(chosen, module_id=choice.module_id)

    def _probed(self, choice: ModuleChoice, probe_id: UUID) -> ProgramGraph:
        probe = probe_at(self.probes, probe_id, "/modules/0/probe_id")
        spec = ModuleSpec(
            kind=ModuleKind.CUSTOM,
            signature=probe.promise.signature,
            config=choice.config.over(DEFAULTS[ModuleKind.CUSTOM]),
            parameters=custom_of(probe),
        )
        with beneath("/modules/0"):
            check_module(spec)
        return single(spec, node_id=_node_id(probe.promise.import_path))

    def _signature(self, choice: ModuleChoice) -> SignatureSpec:
        if choice.signature_id is not None:
            pointer = "/modules/0/signature_id"
            return signature_in_service(self.signatures, choice.signature_id, pointer).spec
        with at("/modules/0/signature_syntax"):
            return parse(choice.signature_syntax or "")

    def _module(self, module_id: UUID, pointer: str) -> Module:
        try:
            module = self.modules.get(module_id)
        except AggregateNotFound as error:
            raise unknown_reference(error, pointer) from error
        module.require_in_service()
        return module


def _node_id(import_path: str) -> str:
    """A class as a node is called: ``my_rag`` for ``acme_rag.rag:MyRAG``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", import_path.rpartition(":")[2])
    return words.lower() if _A_NODE_ID.match(words.lower()) else ModuleKind.CUSTOM.value
