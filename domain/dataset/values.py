"""What a dataset is for, and which part a row belongs to."""

from enum import StrEnum


class Purpose(StrEnum):
    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"
    CUSTOM = "custom"


class Split(StrEnum):
    """Rows an optimizer may learn from, and rows that only ever judge."""

    TRAIN = "train"
    HELDOUT = "heldout"
