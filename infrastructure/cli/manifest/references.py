"""Names that stand for ids in a manifest: of datasets and programs that may not be there yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid4

from pydantic import JsonValue

from domain.text import escape

Kind = Literal["datasets", "programs"]

_PARTS: Final = {
    "modules": ("parameters", "config"),
    "programs": ("graph", "parameters", "settings"),
}
"""What of an entry may name datasets and programs."""

_TEXTS: Final = frozenset({"corpus", "nearest"})


class Reference(NamedTuple):
    """Where a manifest names something that it needs the id of."""

    kind: Kind
    name: str
    pointer: str


@dataclass(slots=True)
class References:
    """An id for everything that is named: what is not on the server yet is created with it."""

    asked: list[Reference] = field(default_factory=list[Reference])
    _ids: dict[tuple[Kind, str], UUID] = field(default_factory=dict[tuple[Kind, str], UUID])

    def id_of(self, kind: Kind, name: str) -> UUID:
        """The id for *name*, the same however often it is asked for."""
        return self._ids.setdefault((kind, name), uuid4())

    def resolve(self, data: JsonValue) -> JsonValue:
        """The whole manifest *data* with ids in place of names.

        ``dataset`` becomes ``dataset_id`` in a corpus and in examples that are looked up, and
        ``program`` becomes ``program_id`` in a tool.
        """
        if not isinstance(data, dict):
            return data
        return {section: self._section(section, entries) for section, entries in data.items()}

    def replaced(self, text: str, known: Mapping[tuple[Kind, str], str]) -> str:
        """*text* with the ids that the server has in place of those given here."""
        for key, there in known.items():
            text = text.replace(str(self._ids[key]), there)
        return text

    def _section(self, section: str, entries: JsonValue) -> JsonValue:
        parts = _PARTS.get(section)
        if parts is None or not isinstance(entries, dict):
            return entries
        return {
            name: {
                key: self._walked(it, f"/{section}/{escape(name)}/{escape(key)}", key)
                if key in parts
                else it
                for key, it in entry.items()
            }
            if isinstance(entry, dict)
            else entry
            for name, entry in entries.items()
        }

    def _walked(self, value: JsonValue, pointer: str, key: str) -> JsonValue:
        if isinstance(value, list):
            return [
                self._walked(each, f"{pointer}/{index}", key) for index, each in enumerate(value)
            ]
        if not isinstance(value, dict):
            return value
        found = {
            name: self._walked(part, f"{pointer}/{escape(name)}", name)
            for name, part in value.items()
        }
        if key in _TEXTS:
            self._named(found, "datasets", "dataset", pointer)
        if key == "tools" and value.get("kind") == "program":
            self._named(found, "programs", "program", pointer)
        return found

    def _named(self, part: dict[str, JsonValue], kind: Kind, key: str, pointer: str) -> None:
        name = part.get(key)
        if isinstance(name, str) and f"{key}_id" not in part:
            del part[key]
            part[f"{key}_id"] = str(self.id_of(kind, name))
            self.asked.append(Reference(kind, name, f"{pointer}/{key}"))
