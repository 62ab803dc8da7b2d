"""A predictor's questions in the form of DSPy's chat adapter, and what its answers say."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from domain.program.state import Demo
from infrastructure.engines.native.fields import NativeField, spoken

Message = Mapping[str, str]

_HEADER: Final = re.compile(r"\[\[ ## (\w+) ## \]\]")
_COMPLETED: Final = "[[ ## completed ## ]]"
_STRUCTURE: Final = (
    "All interactions will be structured in the following way, with the appropriate values filled"
    " in."
)
_INCOMPLETE: Final = (
    "This is an example of the task, though some input or output fields are not supplied."
)
_NOT_SUPPLIED: Final = "Not supplied for this particular example. "


class AnswerIsUnreadable(ValueError):
    """An answer is not in the form that was asked for."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one predictor asks; ``settings`` are those of its calls."""

    node: str
    inputs: tuple[NativeField, ...]
    outputs: tuple[NativeField, ...]
    instructions: str
    demos: tuple[Demo, ...]
    settings: Mapping[str, JsonValue]

    def request(self, model: str, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The request to *model* on *values*, in the form that journals keep."""
        turns = [*self._examples(), ("user", self._question(values))]
        return {
            "model": model,
            "system": self._system(),
            "messages": [
                {"role": role, "parts": [{"type": "text", "text": text}]} for role, text in turns
            ],
            "config": dict(self.settings),
        }

    def read(self, answer: str) -> dict[str, JsonValue]:
        """The fields of *answer*.

        Raises:
            AnswerIsUnreadable: It lacks one, or one is of another type.
        """
        wanted = {field.name: field for field in self.outputs}
        found: dict[str, JsonValue] = {}
        for name, text in _sections(answer):
            if name in wanted and name not in found:
                try:
                    found[name] = wanted[name].read(text)
                except (ValueError, TypeError, RecursionError) as error:
                    raise AnswerIsUnreadable(name) from error
        if not all(name in found or field.may_lack for name, field in wanted.items()):
            raise AnswerIsUnreadable("A field is missing.")
        return {name: found.get(name) for name in wanted}

    def _system(self) -> str:
        asked = "\n".join(f"{n}. {field.described}" for n, field in enumerate(self.inputs, 1))
        given = "\n".join(f"{n}. {field.described}" for n, field in enumerate(self.outputs, 1))
        places = [
            _STRUCTURE,
            _sections_of([(field.name, f"{{{field.name}}}") for field in self.inputs]),
            _sections_of([(field.name, field.place) for field in self.outputs]),
            f"{_COMPLETED}\n",
        ]
        lines = textwrap.dedent(self.instructions).splitlines()
        objective = ("\n" + " " * 8).join(["", *lines])
        return "\n".join(
            [
                f"Your input fields are:\n{asked.strip()}",
                f"Your output fields are:\n{given.strip()}",
                "\n\n".join(places).strip(),
                f"In adhering to this structure, your objective is: {objective}",
            ]
        )

    def _question(self, values: Mapping[str, JsonValue]) -> str:
        demanded = ", then ".join(
            f"`[[ ## {field.name} ## ]]`{field.type_told}" for field in self.outputs
        )
        wish = (
            f"Respond with the corresponding output fields, starting with the field {demanded},"
            f" and then ending with the marker for `{_COMPLETED}`."
        )
        return _user(self.inputs, values, "", wish)

    def _examples(self) -> Iterator[tuple[str, str]]:
        """The demos that lack something, then those that lack nothing, in their order."""
        fields = [field.name for field in (*self.inputs, *self.outputs)]
        whole = [demo for demo in self.demos if all(_has(demo, name) for name in fields)]
        parts = [demo for demo in self.demos if demo not in whole and self._is_of_use(demo)]
        for demos, before in ((parts, _INCOMPLETE), (whole, "")):
            for demo in demos:
                yield "user", _user(self.inputs, demo, before)
                yield "assistant", self._answered(demo)

    def _is_of_use(self, demo: Demo) -> bool:
        return any(field.name in demo for field in self.inputs) and any(
            field.name in demo for field in self.outputs
        )

    def _answered(self, demo: Demo) -> str:
        told = [
            (field.name, spoken(demo[field.name]) if field.name in demo else _NOT_SUPPLIED)
            for field in self.outputs
        ]
        return f"{_sections_of(told)}\n\n{_COMPLETED}\n"


def _has(demo: Demo, name: str) -> bool:
    return demo.get(name) is not None


def _user(
    fields: Sequence[NativeField], values: Mapping[str, JsonValue], before: str, after: str = ""
) -> str:
    told = [
        f"[[ ## {field.name} ## ]]\n{spoken(values[field.name])}"
        for field in fields
        if field.name in values
    ]
    return "\n\n".join([before, *told, after]).strip()


def _sections_of(told: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in told).strip()


def _sections(answer: str) -> Iterator[tuple[str, str]]:
    name: str | None = None
    lines: list[str] = []
    for line in answer.splitlines():
        if (header := _HEADER.match(line.strip())) is None:
            lines.append(line)
            continue
        if name is not None:
            yield name, "\n".join(lines).strip()
        name, rest = header.group(1), line[header.end() :].strip()
        lines = [rest] if rest else []
    if name is not None:
        yield name, "\n".join(lines).strip()
