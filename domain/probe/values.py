"""What a probe of somebody's own module looks for, and what it finds."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from domain.kernel import ValueObject
from domain.signature.fields import SignatureSpec
from domain.signature.types import FieldSpec
from domain.tool.values import EntryPoint
from domain.values import Digest

ImportPath = EntryPoint
"""A class as ``package.module:Class``."""

RESULT = FieldSpec(name="result")
"""The one output of a module that promises none: what it returned, as text."""


class ProbeStatus(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class ModulePromise(ValueObject):
    """A class, the arguments of its constructor, and what the module promises to take and give.

    With ``wraps_result`` it promises no outputs: what it returns is told as text, as ``result``.
    ``inputs`` are for the dry run; those left out are made up.
    """

    import_path: ImportPath
    arguments: dict[str, JsonValue] = {}
    signature: SignatureSpec
    wraps_result: bool = False
    inputs: dict[str, JsonValue] = {}


class PredictorFound(ValueObject):
    """A predictor of the module: what optimizers read and change."""

    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instructions: str


class Findings(ValueObject):
    """What a probe found out about a module that can be used.

    ``source_sha256`` is over every file of ``package``. ``calls`` is how often the dry run asked
    the model; ``repeatable`` is whether a second run asked and answered the same.
    """

    source_sha256: Digest
    package: str
    distribution: str | None
    distribution_version: str | None
    libraries: dict[str, str]
    predictors: tuple[PredictorFound, ...]
    calls: Annotated[int, Field(ge=0)]
    repeatable: bool
