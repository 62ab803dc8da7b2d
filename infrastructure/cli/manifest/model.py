"""What a manifest may say, and every way in which one says something else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from application.modules import ModuleSettings
from application.rows import RowFormat, parse_rows
from application.wording import sentence
from domain.dataset.shape import common_fields
from domain.dataset.values import Purpose, Split
from domain.errors import Fault, InvalidError
from domain.module.kinds import ModuleKind
from domain.module.parameters import PARAMETERS, KindParameters
from domain.module.values import DEFAULTS
from domain.program.graph import ProgramGraph
from domain.program.rules import check
from domain.signature.fields import SignatureSpec
from domain.signature.rules import accepted
from domain.signature.syntax import parse, written
from domain.text import JsonObject, LongText, Name, escape
from infrastructure.cli.manifest.reading import Document, Flaw, ManifestIsUnusable
from infrastructure.cli.manifest.references import Kind, References

_DATA: Final = frozenset({"value", "default", "demos"})
"""Where a graph holds plain data, in which no name means anything."""

FORMATS: Final[dict[str, RowFormat]] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv",
}  # fmt: skip

_Model = TypeVar("_Model", bound=BaseModel)

Rows = Sequence[dict[str, JsonValue]]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SignatureEntry(_Entry):
    """A signature by its text; ``instructions`` go with a text that does not hold them."""

    syntax: str
    instructions: LongText | None = None


class ModuleEntry(_Entry):
    """A module of a signature: its name, or its text."""

    kind: ModuleKind
    signature: str
    config: ModuleSettings = ModuleSettings()
    parameters: KindParameters = None


class ProgramEntry(_Entry):
    """A program of one module (of the shelf, or a kind with a signature), or of a graph."""

    description: LongText | None = None
    config: JsonObject = {}
    default_optimizer: str | None = None
    module: str | None = None
    kind: ModuleKind | None = None
    signature: str | None = None
    settings: ModuleSettings = ModuleSettings()
    parameters: KindParameters = None
    graph: JsonObject | None = None


class DatasetEntry(_Entry):
    """A dataset; its rows stand here, or in a file beside the manifest."""

    purpose: Purpose = Purpose.CUSTOM
    description: LongText | None = None
    train: list[JsonObject] | str = []
    heldout: list[JsonObject] | str = []


class ManifestFile(_Entry):
    """Everything by its name."""

    signatures: dict[Name, SignatureEntry] = {}
    modules: dict[Name, ModuleEntry] = {}
    programs: dict[Name, ProgramEntry] = {}
    datasets: dict[Name, DatasetEntry] = {}


_ENTRIES: Final[dict[str, type[_Entry]]] = {
    "signatures": SignatureEntry,
    "modules": ModuleEntry,
    "programs": ProgramEntry,
    "datasets": DatasetEntry,
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that holds together: texts parsed, graphs checked, rows read."""

    document: Document
    wanted: ManifestFile
    references: References
    signatures: dict[str, SignatureSpec] = field(default_factory=dict[str, SignatureSpec])
    texts: dict[str, SignatureSpec] = field(default_factory=dict[str, SignatureSpec])
    graphs: dict[str, ProgramGraph] = field(default_factory=dict[str, ProgramGraph])
    rows: dict[tuple[str, Split], Rows] = field(default_factory=dict[tuple[str, Split], Rows])

    def with_ids(self, there: Mapping[tuple[Kind, str], str]) -> "Manifest":
        """This with the ids that the server has for what is named in it."""

        def real(part: _Model, *, as_written: bool) -> _Model:
            text = part.model_dump_json(exclude_unset=as_written)
            return type(part).model_validate_json(self.references.replaced(text, there))

        graphs = {name: real(graph, as_written=False) for name, graph in self.graphs.items()}
        # Settings that nobody wrote stay as the server has them.
        return replace(self, wanted=real(self.wanted, as_written=True), graphs=graphs)

    def stands_before(self, kind: Kind, name: str, pointer: str) -> bool:
        """Whether *name* is made before what *pointer* is in: programs are in their order."""
        if kind == "datasets":
            return name in self.wanted.datasets
        programs = list(self.wanted.programs)
        section, user = pointer.split("/")[1:3]
        if section == "modules" or name not in programs:
            return False
        return programs.index(name) < [escape(each) for each in programs].index(user)


def manifest(document: Document) -> Manifest:
    """The manifest that *document* is.

    Raises:
        ManifestIsUnusable: It names every flaw that shows without a server.
    """
    references = References()
    try:
        wanted = ManifestFile.model_validate(references.resolve(document.data) or {})
    except ValidationError as error:
        flaws = [_flaw(document, each) for each in error.errors(include_url=False)]
        raise ManifestIsUnusable(document.file, flaws) from None
    found = Manifest(document, wanted, references)
    if flaws := [*_signatures(found), *_modules(found), *_programs(found), *_datasets(found)]:
        raise ManifestIsUnusable(document.file, flaws)
    return found


def is_text(signature: str) -> bool:
    """Whether *signature* is the text of one; names hold no arrow."""
    return "->" in signature


def _signatures(found: Manifest) -> Iterator[Flaw]:
    for name, entry in found.wanted.signatures.items():
        pointer = f"/signatures/{escape(name)}/syntax"
        try:
            spec = parse(entry.syntax)
            said = entry.instructions or spec.instructions
            found.signatures[name] = accepted(spec.model_copy(update={"instructions": said}))
        except InvalidError as error:
            yield from _faults(found.document, pointer, error)


def _modules(found: Manifest) -> Iterator[Flaw]:
    for name, entry in found.wanted.modules.items():
        yield from _text(found, f"/modules/{escape(name)}/signature", entry.signature)


def _text(found: Manifest, pointer: str, signature: str) -> Iterator[Flaw]:
    """Parse *signature* if it is the text of one."""
    if is_text(signature):
        try:
            found.texts[signature] = accepted(parse(signature))
        except InvalidError as error:
            yield from _faults(found.document, pointer, error)


def _programs(found: Manifest) -> Iterator[Flaw]:
    for name, entry in found.wanted.programs.items():
        pointer = f"/programs/{escape(name)}"
        inline = entry.kind is not None and entry.signature is not None
        forms = [entry.module is not None, inline, entry.graph is not None]
        if sum(forms) != 1 or (entry.kind is None) != (entry.signature is None):
            message = "A program has a module, or a kind with a signature, or a graph. Give one."
            yield found.document.flaw(pointer, message)
            continue
        if entry.signature is not None:
            yield from _text(found, f"{pointer}/signature", entry.signature)
        if entry.graph is not None:
            yield from _graph(found, name, entry.graph, f"{pointer}/graph")


def _graph(found: Manifest, name: str, graph: JsonObject, pointer: str) -> Iterator[Flaw]:
    flaws: list[Flaw] = []
    written = _spelled(found, graph, pointer, flaws)
    if flaws:
        yield from flaws
        return
    try:
        found.graphs[name] = check(ProgramGraph.model_validate(written))
    except ValidationError as error:
        for each in error.errors(include_url=False):
            where = "".join(f"/{escape(step)}" for step in each["loc"])
            yield found.document.flaw(pointer + where, sentence(each))
    except InvalidError as error:
        yield from _faults(found.document, pointer, error)


def _spelled(found: Manifest, value: JsonValue, pointer: str, flaws: list[Flaw]) -> JsonValue:
    """*value* with every signature as data, and every module with all settings of its kind."""
    if isinstance(value, list):
        return [
            _spelled(found, each, f"{pointer}/{index}", flaws) for index, each in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    spelled: dict[str, JsonValue] = {}
    for name, part in value.items():
        here = f"{pointer}/{escape(name)}"
        if name == "signature" and isinstance(part, str):
            try:
                spelled[name] = _named_or_written(found, part).model_dump(mode="json")
            except InvalidError as error:
                flaws.extend(_faults(found.document, here, error))
        elif name in _DATA:
            spelled[name] = part
        else:
            spelled[name] = _spelled(found, part, here, flaws)
        if name == "module":
            spelled[name] = _with_all_settings(spelled[name])
    return spelled


def _named_or_written(found: Manifest, signature: str) -> SignatureSpec:
    if is_text(signature):
        return written(signature)  # the rules are those of the whole graph
    if (own := found.signatures.get(signature)) is not None:
        return own
    message = f"This file has no signature {signature}. Write one under signatures, or its text."
    raise InvalidError(message, [Fault("", "reference.unknown", message)])


def _with_all_settings(module: JsonValue) -> JsonValue:
    if not isinstance(module, dict) or module.get("kind") not in set(ModuleKind):
        return module
    given, usual = module.get("config", {}), DEFAULTS[ModuleKind(str(module["kind"]))]
    if not isinstance(given, dict):
        return module
    return {**module, "config": {**usual.model_dump(mode="json"), **given}}


def _datasets(found: Manifest) -> Iterator[Flaw]:
    for name, entry in found.wanted.datasets.items():
        for split, rows in ((Split.TRAIN, entry.train), (Split.HELDOUT, entry.heldout)):
            pointer = f"/datasets/{escape(name)}/{split.value}"
            if not rows:
                continue
            try:
                read = _file(found, rows) if isinstance(rows, str) else rows
                common_fields(read)
            except OSError as error:
                yield found.document.flaw(pointer, f"{rows} cannot be read: {error.strerror}.")
            except InvalidError as error:
                for fault in error.faults or (Fault("", error.code, str(error)),):
                    where = pointer + fault.pointer.removeprefix("/rows")
                    yield found.document.flaw(where, fault.message)
            else:
                found.rows[name, split] = read


def _file(found: Manifest, name: str) -> Rows:
    folder = found.document.file.parent.resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise InvalidError(f"{name} lies outside the folder of the manifest. Put it there.")
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise InvalidError(f"{name} is none of {', '.join(FORMATS)}. Give it such a name.")
    return parse_rows(file.read_bytes(), form)


def _faults(document: Document, pointer: str, error: InvalidError) -> Iterator[Flaw]:
    for fault in error.faults:
        yield document.flaw(pointer + fault.pointer, fault.message)


def _flaw(document: Document, error: ErrorDetails) -> Flaw:
    steps = [str(step) for step in error["loc"]]
    pointer = "".join(f"/{escape(step)}" for step in steps)
    if error["type"] != "extra_forbidden":
        return document.flaw(pointer, sentence(error))
    known = _known(document, steps)
    near = get_close_matches(steps[-1], known, n=1)
    others = f"Choose one of {', '.join(known)}." if known else "Remove it."
    hint = f"Did you mean {near[0]}?" if near else others
    return document.flaw(pointer, f"There is no key {steps[-1]} here. {hint}")


def _known(document: Document, steps: Sequence[str]) -> list[str]:
    """The keys that may stand beside the last of *steps*, where they are few."""
    match steps:
        case [_]:
            return list(_ENTRIES)
        case [section, _, _]:
            return list(_ENTRIES[section].model_fields)
        case [_, _, "config" | "settings", _]:
            return list(ModuleSettings.model_fields)
        case [section, name, "parameters", _]:
            entry = cast("Mapping[str, Mapping[str, Mapping[str, str]]]", document.data)
            taken = PARAMETERS[ModuleKind(entry[section][name]["kind"])]
            return [] if taken is None else list(taken.model_fields)
        case _:
            return []
