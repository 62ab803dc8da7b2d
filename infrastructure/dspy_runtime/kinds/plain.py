"""One question, one answer: with reasoning or without, with examples looked up or without."""

from domain.module.kinds import ModuleKind
from domain.module.values import ModuleConfig, ModuleSpec
from domain.signature.fields import SignatureSpec
from infrastructure.dspy_runtime.kinds.building import Built, Place, settings
from infrastructure.dspy_runtime.kinds.nearest import WithNearest, examples_of
from infrastructure.dspy_runtime.signatures import reasoning_first, reasons_by_itself


def built(place: Place, spec: ModuleSpec) -> Built:
    """``dspy.Predict`` or ``dspy.ChainOfThought``, with examples of a dataset if it has any."""
    inner = asked_once(place, spec.kind, spec.signature, spec.config)
    if (nearest := spec.config.nearest) is None:
        return inner
    examples = place.named("examples")
    return Built(
        f"WithNearest({inner.constructor}, {examples}, k={nearest.k!r})",
        {**inner.names, "WithNearest": WithNearest},
        lambda program: {examples: examples_of(program, nearest, spec.signature)},
    )


def asked_once(
    place: Place,
    kind: ModuleKind,
    signature: SignatureSpec,
    config: ModuleConfig,
    name: str = "signature",
) -> Built:
    """A module of *kind*, which other kinds may be made of; *name* is that of its signature."""
    thinks = kind is ModuleKind.CHAIN_OF_THOUGHT
    by_itself = thinks and reasons_by_itself(signature)
    constructor = "ChainOfThought" if thinks and not by_itself else "Predict"
    shown = reasoning_first(signature) if by_itself else signature
    named = place.named(name)
    return Built(
        f"dspy.{constructor}({named}, {settings(config)})", {named: place.signature(shown)}
    )
