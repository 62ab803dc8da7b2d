"""How prompts are written: DSPy's adapters, with the markers of non-text content made harmless.

A text with such a marker would become a real image or file block of the request.
"""

from typing import Any, Final

import dspy
from dspy.adapters.types.base_type import (
    CUSTOM_TYPE_END_IDENTIFIER,
    CUSTOM_TYPE_START_IDENTIFIER,
)

_MARKERS: Final = (CUSTOM_TYPE_START_IDENTIFIER, CUSTOM_TYPE_END_IDENTIFIER)


class SafeJsonAdapter(dspy.JSONAdapter):  # type: ignore[misc]  # DSPy ships no types
    """DSPy's JSON adapter for texts of strangers."""

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> Any:
        return super().format(signature, [_harmless(d) for d in demos], _harmless(inputs))


class SafeChatAdapter(dspy.ChatAdapter):  # type: ignore[misc]  # DSPy ships no types
    """DSPy's chat adapter for texts of strangers; an answer it cannot read is asked for as JSON."""

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> Any:
        return super().format(signature, [_harmless(d) for d in demos], _harmless(inputs))

    def _make_json_adapter_fallback(self) -> SafeJsonAdapter:
        return SafeJsonAdapter(use_native_function_calling=self.use_native_function_calling)


def _harmless(value: Any) -> Any:
    match value:
        case str():
            for marker in _MARKERS:
                if marker in value:
                    value = value.replace(marker, marker.replace("<<", "<").replace(">>", ">"))
            return value
        case dict():
            return {key: _harmless(part) for key, part in value.items()}
        case list():
            return [_harmless(part) for part in value]
        case dspy.Example():
            return _harmless(dict(value.items()))
        case _:
            return value
