"""What the fields of a dataset are to a program: its signature says so, nothing is guessed."""

from collections.abc import Iterable
from typing import Literal

from domain.dataset.shape import METADATA
from domain.errors import Fault
from domain.kernel import ValueObject
from domain.signature.fields import SignatureSpec
from domain.text import escape

Role = Literal["input", "output", "metadata", "unused"]


class DatasetFit(ValueObject):
    """A dataset held against a program: with ``faults`` nothing can be learned or judged by it.

    ``roles`` says of each field what it is to the program. A warning hinders nothing. Both point
    into a row.
    """

    roles: dict[str, Role]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def fit(spec: SignatureSpec, fields: Iterable[str]) -> DatasetFit:
    """How rows with *fields* fit a program with *spec*."""
    roles: dict[str, Role] = {field: _role(spec, field) for field in fields}
    return DatasetFit(
        roles=roles,
        faults=tuple(_faults(spec, roles.keys())),
        warnings=tuple(
            Fault(
                f"/{escape(field)}",
                "dataset.field_unused",
                f"The program has no field {field}, so it is not used. "
                f"Call it {METADATA}{field} if it only says something about its row.",
            )
            for field, role in roles.items()
            if role == "unused"
        ),
    )


def _faults(spec: SignatureSpec, fields: Iterable[str]) -> Iterable[Fault]:
    there = set(fields)
    for field in spec.inputs:
        if not (field.optional or field.has_default) and field.name not in there:
            message = f"The program needs the input {field.name}."
            yield Fault(f"/{field.name}", "dataset.input_missing", message)
    outputs = [field.name for field in spec.outputs]
    if not there.intersection(outputs):
        message = f"No row is labelled: at least one of {', '.join(outputs)} has to be a field."
        yield Fault(f"/{outputs[0]}", "dataset.label_missing", message)


def _role(spec: SignatureSpec, field: str) -> Role:
    if field in {each.name for each in spec.inputs}:
        return "input"
    if field in {each.name for each in spec.outputs}:
        return "output"
    return "metadata" if field.startswith(METADATA) else "unused"
