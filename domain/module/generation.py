"""The module that hands a prompt to a model as it stands: what a generation is a run of."""

from typing import Final

from domain.module.kinds import ModuleKind
from domain.module.values import DEFAULTS, ModuleSpec
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import STRING, Primitive

PROMPT: Final = "prompt"
TEXT: Final = "text"

GENERATE: Final = ModuleSpec(
    kind=ModuleKind.GENERATE,
    signature=SignatureSpec(
        inputs=(
            FieldSpec(name=PROMPT, type=STRING),
            FieldSpec(name="system", type=STRING, optional=True),
            FieldSpec(name="temperature", type=Primitive(name="float"), optional=True),
            FieldSpec(name="max_tokens", type=Primitive(name="integer"), optional=True),
        ),
        outputs=(FieldSpec(name=TEXT, type=STRING),),
    ),
    config=DEFAULTS[ModuleKind.GENERATE],
)
"""It takes everything that it may, and gives the text."""
