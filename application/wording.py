"""What pydantic finds wrong with what was sent, as sentences that say what to do."""

from pydantic_core import ErrorDetails


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
        case "dict_type" | "model_type" | "model_attributes_type":
            return "An object with names and values should stand here. Write one."
        case "too_short":
            few = f"{context['min_length']} or more here; there are {context['actual_length']}"
            return f"There should be {few}."
        case _:
            return str(
                context.get("reason")
                or f"{error['msg'].removeprefix('Value error, ').rstrip('.')}."
            )
