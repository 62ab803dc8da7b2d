"""What somebody changed of single predictors by hand, over what an optimizer found."""

from collections.abc import Iterator, Mapping
from typing import Final

from domain.errors import Fault
from domain.kernel import ValueObject
from domain.module.rules import MAX_DEMOS
from domain.program.errors import InvalidEdit
from domain.program.predictors import Predictor
from domain.program.state import Demo
from domain.text import escape, json_faults, text_fault

MARKS: Final = frozenset({"augmented"})
"""What DSPy notes in a demo that is no field: it was bootstrapped."""


class PredictorEdit(ValueObject):
    """New instructions, new demos, or both; what is left out stays. Demos keep their order."""

    instructions: str | None = None
    demos: tuple[Demo, ...] | None = None


Edits = Mapping[str, PredictorEdit]
"""By the path of the predictor."""


def merged(before: Edits, now: Edits) -> dict[str, PredictorEdit]:
    """Both edits as one, in the order of the paths; what is edited *now* stands over the rest."""
    found = dict(before)
    for path, edit in now.items():
        said = edit.model_dump(exclude_none=True)
        found[path] = found.get(path, PredictorEdit()).model_copy(update=said)
    return {path: found[path] for path in sorted(found)}


def edited(predictors: Mapping[str, Predictor], edits: Edits) -> dict[str, Predictor]:
    """*predictors* with the instructions and demos that *edits* give them."""
    return {
        path: each.model_copy(update=edits[path].model_dump(exclude_none=True))
        if path in edits
        else each
        for path, each in predictors.items()
    }


def check_edits(
    edits: Edits, predictors: Mapping[str, Predictor], pointer: str = "/predictors"
) -> None:
    """Refuse edits that do not fit *predictors*.

    Raises:
        InvalidEdit: It names every fault.
    """
    if faults := list(_faults(edits, predictors, pointer)):
        raise InvalidEdit(faults)


def _faults(edits: Edits, predictors: Mapping[str, Predictor], pointer: str) -> Iterator[Fault]:
    for path, edit in edits.items():
        where = f"{pointer}/{escape(path)}"
        if path not in predictors:
            known = ", ".join(predictors) or "nothing, since it asks no model"
            message = f"The program has no predictor {path}. It has {known}."
            yield Fault(where, "edit.unknown_predictor", message)
            continue
        if edit.instructions is not None:
            if fault := text_fault(edit.instructions, f"{where}/instructions"):
                yield fault
            if not edit.instructions.strip():
                message = "Instructions are empty. Write some, or leave them out to keep them."
                yield Fault(f"{where}/instructions", "edit.empty", message)
        if edit.demos is not None:
            yield from demo_faults(edit.demos, predictors[path], f"{where}/demos")


def demo_faults(demos: tuple[Demo, ...], predictor: Predictor, pointer: str) -> Iterator[Fault]:
    """Everything that keeps *demos* from being shown by *predictor*."""
    if len(demos) > MAX_DEMOS:
        yield Fault(pointer, "demos.too_many", f"A predictor has at most {MAX_DEMOS} demos.")
        return
    known = {*predictor.fields}
    for index, demo in enumerate(demos):
        yield from json_faults(demo, f"{pointer}/{index}")
        if not known & demo.keys():
            message = f"This demo shows none of {', '.join(sorted(known))}. Give it some."
            yield Fault(f"{pointer}/{index}", "demo.empty", message)
        for name in demo.keys() - known - MARKS:
            message = "The predictor has no field of this name. Remove it from the demo."
            yield Fault(f"{pointer}/{index}/{escape(name)}", "demo.unknown_field", message)
