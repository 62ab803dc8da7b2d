"""What a kind makes of a signature, and which settings go with it."""

from collections.abc import Iterator
from typing import Final

from domain.errors import Fault
from domain.module.errors import InvalidModule
from domain.module.values import ModuleKind, ModuleSpec
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.text import escape, json_faults

REASONING: Final = FieldSpec(name="reasoning", description="Step by step reasoning")
"""What chain of thought asks for before the answer, in the words of the original papers."""

MAX_DEMOS: Final = 1000


def effective_signature(spec: ModuleSpec) -> SignatureSpec:
    """What the module really takes and gives: chain of thought also gives its reasoning.

    It comes before the other outputs, unless the signature has an output of that name already.
    """
    signature = spec.signature
    given = {field.name for field in signature.outputs}
    if spec.kind is not ModuleKind.CHAIN_OF_THOUGHT or REASONING.name in given:
        return signature
    return signature.model_copy(update={"outputs": (REASONING, *signature.outputs)})


def module_faults(spec: ModuleSpec, pointer: str = "") -> Iterator[Fault]:
    """Everything that keeps *spec* from running."""
    inputs = {field.name for field in spec.signature.inputs}
    if spec.kind is ModuleKind.CHAIN_OF_THOUGHT and REASONING.name in inputs:
        message = "Chain of thought writes an output called reasoning. Rename the input reasoning."
        yield Fault(f"{pointer}/kind", "name.reserved", message)
    yield from _demo_faults(spec, f"{pointer}/config/demos")


def check_module(spec: ModuleSpec) -> None:
    """Refuse a module that cannot run.

    Raises:
        InvalidModule: Kind, signature and settings do not go together; it names every fault.
    """
    if faults := list(module_faults(spec)):
        raise InvalidModule(faults)


def _demo_faults(spec: ModuleSpec, pointer: str) -> Iterator[Fault]:
    demos = spec.config.demos
    if len(demos) > MAX_DEMOS:
        yield Fault(pointer, "demos.too_many", f"A module has at most {MAX_DEMOS} demos.")
        return
    signature = effective_signature(spec)
    known = {field.name for field in (*signature.inputs, *signature.outputs)}
    for index, demo in enumerate(demos):
        yield from json_faults(demo, f"{pointer}/{index}")
        for name in demo.keys() - known:
            message = "The signature has no field of this name. Remove it from the demo."
            yield Fault(f"{pointer}/{index}/{escape(name)}", "demo.unknown_field", message)
