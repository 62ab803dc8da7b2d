"""From what a manifest wants and what a server has to the steps between, and nothing more."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from pydantic import JsonValue

from domain.comparison.graphs import compare_graphs
from domain.comparison.signatures import compare_signatures
from domain.comparison.values import Change
from domain.dataset.statistics import statistics
from domain.dataset.values import Split
from domain.module.parameters import Parameters
from domain.module.values import DEFAULTS, ModuleConfig, ModuleSpec
from domain.program.graph import ProgramGraph, single
from domain.program.rules import check
from domain.signature.fields import SignatureSpec
from domain.signature.hashing import content_hash
from domain.text import escape
from infrastructure.cli.connection import Data, at
from infrastructure.cli.manifest.model import (
    DatasetEntry,
    Manifest,
    ModuleEntry,
    ProgramEntry,
    Rows,
    is_text,
)
from infrastructure.cli.manifest.reading import Flaw, ManifestIsUnusable
from infrastructure.cli.manifest.references import Kind
from infrastructure.client import Stratal, StratalProblem

Act = Callable[[], object]

_WHERE: Final[Mapping[Kind, str]] = {
    "datasets": "here or on the server",
    "programs": "further up or on the server",
}


class Step(NamedTuple):
    """One thing of a manifest: what has to be done about it, in words, and how."""

    verb: Literal["create", "change", "same"]
    thing: str
    told: Sequence[str] = ()
    acts: Sequence[Act] = ()


def plan(client: Stratal, manifest: Manifest) -> list[Step]:
    """The steps that make a server have what *manifest* wants, in their order.

    Raises:
        ManifestIsUnusable: It names what is not there, or wants what cannot be changed; the error
            names all of it.
    """
    planner = _Planner(client, manifest)
    steps = list(planner.steps())
    if planner.flaws:
        raise ManifestIsUnusable(manifest.document.file, planner.flaws)
    return steps


@dataclass(slots=True)
class _Known:
    """What the server has under a name."""

    client: Stratal
    found: dict[tuple[str, str], Data | None]

    def get(self, kind: str, name: str) -> Data | None:
        if (kind, name) not in self.found:
            try:
                self.found[kind, name] = self.client.get(at(kind, name, "").rstrip("/"))
            except StratalProblem as problem:
                if problem.code != "not_found":
                    raise
                self.found[kind, name] = None
        return self.found[kind, name]


class _Planner:
    def __init__(self, client: Stratal, manifest: Manifest) -> None:
        self.flaws: list[Flaw] = []
        self._client, self._manifest = client, manifest
        self._known = _Known(client, {})

    def steps(self) -> Iterator[Step]:
        self._manifest = self._manifest.with_ids(self._there())
        wanted = self._manifest.wanted
        for name, spec in self._manifest.signatures.items():
            yield self._signature(name, spec)
        for name, dataset in wanted.datasets.items():
            yield self._dataset(name, dataset)
        for name, module in wanted.modules.items():
            if step := self._module(name, module):
                yield step
        for name, program in wanted.programs.items():
            if step := self._program(name, program):
                yield step

    def _there(self) -> dict[tuple[Kind, str], str]:
        """The ids of what is on the server already; what is not has to stand in the file."""
        there: dict[tuple[Kind, str], str] = {}
        for kind, name, pointer in self._manifest.references.asked:
            if (found := self._known.get(kind, name)) is not None:
                there[kind, name] = str(found[f"{kind.removesuffix('s')}_id"])
            elif not self._manifest.stands_before(kind, name, pointer):
                self._flaw(pointer, f"There is no {kind.removesuffix('s')} {name} {_WHERE[kind]}.")
        return there

    def _flaw(self, pointer: str, message: str) -> None:
        self.flaws.append(self._manifest.document.flaw(pointer, message))

    def _signature(self, name: str, spec: SignatureSpec) -> Step:
        thing, data = f"signature {name}", spec.model_dump(mode="json")
        found = self._in_service("signatures", name)
        if found is None:
            return Step(
                "create", thing, (), [lambda: self._client.signatures.create(name, spec=data)]
            )
        if found["content_hash"] == content_hash(spec):
            return Step("same", thing)
        changes = compare_signatures(SignatureSpec.model_validate(found["spec"]), spec)
        revise: Act = lambda: self._client.signatures.revise(name, spec=data)  # noqa: E731
        return Step("change", thing, _told(changes), [revise])

    def _in_service(self, kind: str, name: str) -> Data | None:
        found = self._known.get(kind, name)
        if found is not None and (found["retired_at"] or found.get("archived_at")):
            message = f"{name} is out of service, and its name is taken. Choose another name."
            self._flaw(f"/{kind}/{escape(name)}", message)
        return found

    def _signature_of(self, pointer: str, signature: str) -> SignatureSpec | None:
        """What a text says, or the signature of that name, as it is to be."""
        if is_text(signature):
            return self._manifest.texts[signature]
        if (own := self._manifest.signatures.get(signature)) is not None:
            return own
        found = self._known.get("signatures", signature)
        if found is None:
            self._flaw(pointer, f"There is no signature {signature} here or on the server.")
            return None
        return SignatureSpec.model_validate(found["spec"])

    def _module(self, name: str, entry: ModuleEntry) -> Step | None:
        pointer, thing = f"/modules/{escape(name)}", f"module {name}"
        spec = self._signature_of(f"{pointer}/signature", entry.signature)
        if spec is None:
            return None
        settings = entry.config.model_dump(mode="json", exclude_unset=True)
        found = self._in_service("modules", name)
        if found is None:
            body: dict[str, object] = {
                "name": name,
                "kind": entry.kind.value,
                "config": settings,
                "parameters": _json(entry.parameters),
            }
            return Step("create", thing, (), [lambda: self._create_module(body, entry.signature)])
        kept = found["kind"], found["signature"], found["parameters"]
        if kept != (entry.kind.value, spec.model_dump(mode="json"), _json(entry.parameters)):
            message = f"The module {name} keeps its kind, its parameters and its signature."
            self._flaw(pointer, f"{message} Give the changed one another name.")
            return None
        differing = {key: it for key, it in settings.items() if found["config"].get(key) != it}
        if not differing:
            return Step("same", thing)
        told = [f"{key}: {found['config'].get(key)} → {it}" for key, it in differing.items()]
        configure: Act = lambda: self._client.modules.configure(name, differing)  # noqa: E731
        return Step("change", thing, told, [configure])

    def _create_module(self, body: Mapping[str, object], signature: str) -> object:
        reference = (
            {"signature": signature}
            if is_text(signature)
            else {"signature_id": self._client.signatures.get(signature)["signature_id"]}
        )
        return self._client.post("/v1/modules", {**body, **reference})

    def _program(self, name: str, entry: ProgramEntry) -> Step | None:
        thing = f"program {name}"
        graph = self._graph(name, entry)
        if graph is None:
            return None
        found = self._in_service("programs", name)
        if found is None:
            about: dict[str, object] = {"description": entry.description, "config": entry.config}
            about |= {"default_optimizer": entry.default_optimizer, "name": name}
            about["id"] = str(self._manifest.references.id_of("programs", name))
            given = {key: it for key, it in about.items() if it is not None}
            create: Act = lambda: self._client.post(  # noqa: E731
                "/v1/programs", {**given, **self._written(name, entry)}
            )
            return Step("create", thing, (), [create])
        told, acts = self._about(name, entry, found)
        changes = compare_graphs(ProgramGraph.model_validate(found["graph"]), graph, "/graph")
        if changes:
            told += _told(changes)
            acts.append(lambda: self._post(name, "revise", self._written(name, entry)))
        return Step("change", thing, told, acts) if acts else Step("same", thing)

    def _about(self, name: str, entry: ProgramEntry, found: Data) -> tuple[list[str], list[Act]]:
        told: list[str] = []
        acts: list[Act] = []
        said = entry.model_fields_set  # what is not written stays as it is
        if "description" in said and entry.description != found["description"]:
            told.append("The description changes.")
            description = {"description": entry.description}
            acts.append(lambda: self._post(name, "describe", description))
        config = entry.config if "config" in said else found["config"]
        wanted = config, entry.default_optimizer or found["default_optimizer"]
        if wanted != (found["config"], found["default_optimizer"]):
            told.append("The config changes.")
            settings = {"config": wanted[0], "default_optimizer": wanted[1]}
            acts.append(lambda: self._post(name, "configure", settings))
        return told, acts

    def _post(self, name: str, action: str, body: Mapping[str, object]) -> object:
        return self._client.post(at("programs", name, action), body)

    def _graph(self, name: str, entry: ProgramEntry) -> ProgramGraph | None:
        """The graph that the server will make of *entry*."""
        pointer = f"/programs/{escape(name)}"
        if entry.graph is not None:
            return self._manifest.graphs[name]
        spec = (
            self._inline(pointer, entry)
            if entry.module is None
            else self._shelf(pointer, entry.module)
        )
        if spec is None:
            return None
        config = entry.settings.over(spec.config)
        return check(single(spec.model_copy(update={"config": config})))

    def _inline(self, pointer: str, entry: ProgramEntry) -> ModuleSpec | None:
        assert entry.kind is not None
        assert entry.signature is not None
        signature = self._signature_of(f"{pointer}/signature", entry.signature)
        if signature is None:
            return None
        return ModuleSpec(
            kind=entry.kind,
            signature=signature,
            config=DEFAULTS[entry.kind],
            parameters=entry.parameters,
        )

    def _shelf(self, pointer: str, name: str) -> ModuleSpec | None:
        """The module *name* as it is to be."""
        own, found = self._manifest.wanted.modules.get(name), self._known.get("modules", name)
        if own is None and found is None:
            self._flaw(f"{pointer}/module", f"There is no module {name} here or on the server.")
            return None
        if found is None:
            assert own is not None
            signature = self._signature_of(f"{pointer}/module", own.signature)
            if signature is None:
                return None
            config = own.config.over(DEFAULTS[own.kind])
            return ModuleSpec(
                kind=own.kind, signature=signature, config=config, parameters=own.parameters
            )
        spec: dict[str, Any] = {key: found[key] for key in ("kind", "signature", "config")}
        there = ModuleSpec.model_validate(spec | {"parameters": found.get("parameters")})
        config = there.config if own is None else own.config.over(there.config)
        return there.model_copy(update={"config": ModuleConfig.model_validate(config)})

    def _written(self, name: str, entry: ProgramEntry) -> dict[str, object]:
        """*entry* as the API takes it, once all that it names is there."""
        if entry.graph is not None:
            return {"graph": self._manifest.graphs[name].model_dump(mode="json")}
        module: dict[str, object] = {
            "config": entry.settings.model_dump(mode="json", exclude_unset=True)
        }
        if entry.module is not None:
            module["module_id"] = self._client.modules.get(entry.module)["module_id"]
            return {"modules": [module]}
        assert entry.kind is not None
        assert entry.signature is not None
        module |= {"kind": entry.kind.value, "parameters": _json(entry.parameters)}
        if is_text(entry.signature):
            module["signature_syntax"] = entry.signature
        else:
            signature = self._client.signatures.get(entry.signature)
            module["signature_id"] = signature["signature_id"]
        return {"modules": [module]}

    def _dataset(self, name: str, entry: DatasetEntry) -> Step:
        thing, found = f"dataset {name}", self._known.get("datasets", name)
        told: list[str] = []
        acts: list[Act] = []
        if found is None:
            create = {"purpose": entry.purpose.value, "description": entry.description}
            create["id"] = str(self._manifest.references.id_of("datasets", name))
            acts.append(lambda: self._client.datasets.create(name, **create))
        elif any(
            getattr(entry, part) != found[part]
            for part in entry.model_fields_set & {"purpose", "description"}
        ):
            message = f"The dataset {name} keeps its purpose and its description."
            self._flaw(f"/datasets/{escape(name)}", f"{message} Give them as they are.")
        for split in Split:
            rows = self._manifest.rows.get((name, split), ())
            for new in self._missing(name, split, rows, there=found is not None):
                told.append(f"{len(new)} {split.value} row(s) are loaded.")
                acts.append(partial(self._load, name, new, split))
        if not acts:
            return Step("same", thing)
        return Step("create" if found is None else "change", thing, told, acts)

    def _load(self, name: str, rows: Rows, split: Split) -> object:
        return self._client.datasets.load(name, rows, split=split.value)

    def _missing(self, name: str, split: Split, rows: Rows, *, there: bool) -> Iterator[Rows]:
        """The rows that the server lacks, if any: those it has have to be the first of *rows*."""
        if not there:
            if rows:
                yield rows
            return
        known = self._client.datasets.statistics(name, split=split.value)
        size: int = known["size"]
        if size > len(rows) or statistics(rows[:size]).digest != known["digest"]:
            pointer = f"/datasets/{escape(name)}/{split.value}"
            message = f"The {split.value} part of {name} has other rows; rows are only ever added."
            self._flaw(pointer, f"{message} Keep those, or give the dataset another name.")
        elif size < len(rows):
            yield rows[size:]


def _json(parameters: Parameters) -> JsonValue:
    return None if parameters is None else parameters.model_dump(mode="json")


def _told(changes: Sequence[Change]) -> list[str]:
    return [f"{each.severity.value:<10}  {each.sentence}" for each in changes]
