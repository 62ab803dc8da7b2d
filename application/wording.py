"""What pydantic finds wrong with what was sent, as sentences that say what to do."""

from collections.abc import Mapping
from typing import Final

from pydantic_core import ErrorDetails

_WANTED: Final[Mapping[str, str]] = {
    "dict_type": "An object with names and values",
    "model_type": "An object with names and values",
    "model_attributes_type": "An object with names and values",
    "list_type": "A list",
    "tuple_type": "A list",
    "string_type": "A text",
    "int_type": "A whole number",
    "int_parsing": "A whole number",
    "bool_type": "true or false",
}


def sentence(error: ErrorDetails) -> str:
    """What is wrong there, in our words where pydantic's own are about Python."""
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{error['loc'][-1]} is missing. Add it."
        case "extra_forbidden":
            return "There is nothing of this name here. Remove it."
        case "union_tag_invalid":
            kind = str(context["discriminator"]).strip("'")
            return f"Its {kind} is none of {context['expected_tags']}. Choose one."
        case kind if kind in _WANTED:
            return f"{_WANTED[kind]} should stand here."
        case "too_short":
            few = f"{context['min_length']} or more here; there are {context['actual_length']}"
            return f"There should be {few}."
        case _:
            return str(
                context.get("reason")
                or f"{error['msg'].removeprefix('Value error, ').rstrip('.')}."
            )
