"""How prompts are written: DSPy's adapters, over values that are JSON before and after.

Markers of non-text content within texts are made harmless: a text with such a marker would become
a real image or file block of the request. Only fields of those types become blocks.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

import dspy
from dspy.adapters.types.base_type import (
    CUSTOM_TYPE_END_IDENTIFIER,
    CUSTOM_TYPE_START_IDENTIFIER,
)
from pydantic import BaseModel

_MARKERS: Final = (CUSTOM_TYPE_START_IDENTIFIER, CUSTOM_TYPE_END_IDENTIFIER)
_CONTENT: Final = (dspy.Image, dspy.Audio, dspy.File)


class SafeJsonAdapter(dspy.JSONAdapter):  # type: ignore[misc]  # DSPy ships no types
    """DSPy's JSON adapter for texts of strangers."""

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> Any:
        return super().format(signature, _examples(signature, demos), _inputs(signature, inputs))

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return {name: _plain(it) for name, it in super().parse(signature, completion).items()}


class SafeChatAdapter(dspy.ChatAdapter):  # type: ignore[misc]  # DSPy ships no types
    """DSPy's chat adapter for texts of strangers; an answer it cannot read is asked for as JSON."""

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> Any:
        return super().format(signature, _examples(signature, demos), _inputs(signature, inputs))

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return {name: _plain(it) for name, it in super().parse(signature, completion).items()}

    def _make_json_adapter_fallback(self) -> SafeJsonAdapter:
        return SafeJsonAdapter(use_native_function_calling=self.use_native_function_calling)


def _inputs(signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """*inputs* as DSPy wants them: texts harmless, content as blocks, earlier turns as such."""
    shown = _blocks(signature, _harmless(dict(inputs)))
    for name, field in signature.input_fields.items():
        if field.annotation is dspy.History and not isinstance(shown.get(name), dspy.History):
            turns = [_blocks(signature, turn) for turn in shown.get(name) or []]
            shown[name] = dspy.History(messages=turns)
    return shown


def _examples(signature: Any, demos: list[Any]) -> list[Any]:
    return [_blocks(signature, _harmless(dict(demo.items()))) for demo in demos]


def _blocks(signature: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = signature.fields
    return {
        name: _block(fields[name].annotation, value) if name in fields else value
        for name, value in values.items()
    }


def _block(annotation: Any, value: Any) -> Any:
    """*value* as a block of the request, if *annotation* is of a type that has one."""
    if annotation in _CONTENT:
        return annotation(value) if isinstance(value, str) else value
    if get_origin(annotation) is list and isinstance(value, list):
        return [_block(get_args(annotation)[0], part) for part in value]
    if type(None) in (options := get_args(annotation)) and value is not None:
        return _block(options[0], value)
    return value


def _plain(value: Any) -> Any:
    """*value* as JSON: demos, states and journals hold nothing else."""
    match value:
        case dspy.Code():
            return value.code
        case dspy.Type():
            return value
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
        case list():
            return [_plain(part) for part in value]
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case _:
            return value


def _harmless(value: Any) -> Any:
    match value:
        case str():
            for marker in _MARKERS:
                value = value.replace(marker, marker.replace("-", " "))
            return value
        case dict():
            return {_harmless(key): _harmless(part) for key, part in value.items()}
        case list():
            return [_harmless(part) for part in value]
        case dspy.Example():
            return _harmless(dict(value.items()))
        case dspy.History():
            return dspy.History(messages=_harmless(value.messages))
        case dspy.Type():
            return value
        case BaseModel():
            return _harmless(value.model_dump(mode="json", by_alias=True))
        case _:
            return value
