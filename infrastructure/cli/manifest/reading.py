"""A YAML or JSON file as plain data, with the line of every value: nothing is ever constructed."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import JsonValue

from domain.text import escape, text_fault
from infrastructure.cli.connection import InputIsUnusable

_compose: Callable[..., yaml.Node | None] = yaml.compose  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # its stubs leave it open

MAX_BYTES: Final = 8 * 1024 * 1024
_TAG: Final = "tag:yaml.org,2002:"
_CONTAINERS: Final = frozenset({f"{_TAG}map", f"{_TAG}seq"})
_PLAIN: Final = frozenset({"str", "int", "float", "bool", "null", "timestamp"})


@dataclass(frozen=True, slots=True, order=True)
class Flaw:
    """One thing wrong with a file, at a line counted from 1."""

    line: int
    message: str


class ManifestIsUnusable(InputIsUnusable):
    """A manifest cannot be applied; nothing was sent. ``faults`` name every flaw."""

    code = "manifest.unusable"

    def __init__(self, file: Path, flaws: list[Flaw]) -> None:
        faults = [f"{file}:{flaw.line}: {flaw.message}" for flaw in sorted(set(flaws))]
        super().__init__(f"{file} cannot be applied; nothing was sent.", faults)


@dataclass(frozen=True, slots=True)
class Document:
    """What *file* holds, and at which line each part of it begins, by JSON pointer."""

    file: Path
    data: JsonValue
    lines: Mapping[str, int]

    def line(self, pointer: str) -> int:
        """The line of *pointer*, or of the nearest thing around it."""
        while pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines[pointer]

    def flaw(self, pointer: str, message: str) -> Flaw:
        return Flaw(self.line(pointer), message)


def read(file: Path) -> Document:
    """The data of *file*.

    Raises:
        InputIsUnusable: There is no such file.
        ManifestIsUnusable: It is not YAML, or holds what data does not.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None
    if len(raw) > MAX_BYTES:
        raise ManifestIsUnusable(file, [Flaw(1, f"It is longer than {MAX_BYTES} bytes.")])
    try:
        node = _compose(raw.decode(), yaml.SafeLoader)
    except UnicodeDecodeError:
        raise ManifestIsUnusable(file, [Flaw(1, "It is not UTF-8.")]) from None
    except yaml.YAMLError as error:
        raise ManifestIsUnusable(file, [_unreadable(error)]) from None
    except RecursionError:
        raise ManifestIsUnusable(file, [Flaw(1, "It is nested too deep.")]) from None
    reading = _Reading()
    data = None if node is None else reading.value(node, "")
    if reading.flaws:
        raise ManifestIsUnusable(file, reading.flaws)
    return Document(file, data, {"": 1, **reading.lines})


class _Reading:
    """Turns nodes into data and notes their lines, and what is wrong with them."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self.lines: dict[str, int] = {}
        self._seen: set[int] = set()
        self._scalars: Any = yaml.SafeLoader("")

    def value(self, node: yaml.Node, pointer: str) -> JsonValue:
        self.lines.setdefault(pointer, _line(node))
        if id(node) in self._seen:
            self._refuse(node, "An alias repeats what is elsewhere. Write it out.")
            return None
        self._seen.add(id(node))
        match node:
            case yaml.MappingNode() | yaml.SequenceNode() if node.tag not in _CONTAINERS:
                self._refuse(node, f"The tag {node.tag} is not taken. Write plain data.")
                return None
            case yaml.MappingNode():
                return dict(self._members(node, pointer))
            case yaml.SequenceNode():
                return [
                    self.value(each, f"{pointer}/{index}") for index, each in enumerate(node.value)
                ]
            case _:
                return self._scalar(node)

    def _members(self, node: yaml.MappingNode, pointer: str) -> Iterator[tuple[str, JsonValue]]:
        known: set[str] = set()
        for key, value in node.value:
            if not (isinstance(key, yaml.ScalarNode) and key.tag == f"{_TAG}str"):
                self._refuse(key, "A key is a text. Put it into quotes.")
                continue
            name: str = key.value
            if name in known:
                self._refuse(key, f"The key {name} is given twice. Give it once.")
            if fault := text_fault(name):
                self._refuse(key, fault.message)
            known.add(name)
            at = f"{pointer}/{escape(name)}"
            self.lines[at] = _line(key)
            yield name, self.value(value, at)

    def _scalar(self, node: yaml.Node) -> JsonValue:
        kind = node.tag.removeprefix(_TAG)
        if node.tag == kind or kind not in _PLAIN:
            self._refuse(node, f"The tag {node.tag} is not taken. Write plain data.")
            return None
        text = str(node.value)
        if kind in {"str", "timestamp"}:
            if fault := text_fault(text):
                self._refuse(node, fault.message)
            return text
        try:
            found: JsonValue = self._scalars.construct_object(node)
        except (ValueError, LookupError):  # such as 0x_, which looks like a number and is none
            self._refuse(node, f"{text[:40]!a} cannot be read as {kind}. Put it into quotes.")
            return None
        if isinstance(found, float) and not math.isfinite(found):
            self._refuse(node, "There is no NaN and no infinity. Write a number or null.")
        return found

    def _refuse(self, node: yaml.Node, message: str) -> None:
        self.flaws.append(Flaw(_line(node), message))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _unreadable(error: yaml.YAMLError) -> Flaw:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it is not YAML"
    return Flaw(1 if mark is None else mark.line + 1, f"It cannot be read: {problem}.")
