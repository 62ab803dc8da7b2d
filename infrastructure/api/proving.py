"""What the API needs of the notary: its checkpoints, and proofs of what they say."""

from collections.abc import Sequence
from typing import Protocol


class Checkpoint(Protocol):
    """The first *size* events of the log have the tree *root*; ``note`` is that, signed."""

    @property
    def size(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    @property
    def position(self) -> int: ...
    @property
    def time(self) -> str: ...
    @property
    def note(self) -> str: ...


class Inclusion(Protocol):
    """That the event at *position* is leaf *number*, from 0, of the checkpoint's tree."""

    @property
    def position(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def leaf(self) -> bytes: ...
    @property
    def path(self) -> Sequence[bytes]: ...
    @property
    def checkpoint(self) -> Checkpoint: ...


class Consistency(Protocol):
    """That the tree of *new* begins with that of *old*."""

    @property
    def old(self) -> Checkpoint: ...
    @property
    def new(self) -> Checkpoint: ...
    @property
    def path(self) -> Sequence[bytes]: ...


class Proofs(Protocol):
    """Each answers with a number of hashes that grows as the logarithm of the log. All block."""

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """The checkpoint of that *size*, or the latest."""
        ...

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[Checkpoint]:
        """Checkpoints smaller than *before*, the latest first."""
        ...

    def inclusion(self, position: int, tenant: str, size: int | None = None) -> Inclusion:
        """Prove that an event of *tenant* is in the checkpoint of *size*, or in the latest."""
        ...

    def consistency(self, old: int, new: int) -> Consistency:
        """Prove that the log of the checkpoint of size *new* begins with that of *old*."""
        ...
