"""What a dataset is for, which part a row belongs to, and how a row is called."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

RowId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$")]
"""The version of the dataset that brought a row, and its place in that load: ``2-15``."""


class Purpose(StrEnum):
    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"
    CUSTOM = "custom"


class Split(StrEnum):
    """Rows an optimizer may learn from, and rows that only ever judge."""

    TRAIN = "train"
    HELDOUT = "heldout"
