"""The notary's checkpoints over HTTP, and proofs that need no trust in who serves them."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from application.authorization import Permission
from infrastructure.api.dependencies import ReadingNow
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode
from infrastructure.api.proving import Checkpoint
from infrastructure.api.route import router
from projections.paging import CursorIsInvalid

routes = router("/v1", "proofs", needs=Permission.AUDIT)

Size = Annotated[int, Path(ge=1, lt=2**63, description="How many events it signs.")]
Position = Annotated[int, Path(ge=1, lt=2**63, description="Of an event, as the feed tells it.")]


class CheckpointView(BaseModel):
    """What the log was when the notary signed it."""

    size: int = Field(description="How many events there were, of all tenants.")
    root: str = Field(description="The root of their tree (RFC 6962), in hex.")
    position: int = Field(description="The position of the last of them.")
    at: datetime
    note: str = Field(description="All that as a C2SP signed note: this is what is signed.")


class InclusionView(BaseModel):
    """Hash ``leaf``, join it with ``path``, and compare with the root in ``checkpoint.note``."""

    position: int
    number: int = Field(description="Which leaf of the tree it is, from 0.")
    leaf: str = Field(description="Every stored column of the event, in base 64: what is hashed.")
    path: tuple[str, ...] = Field(description="Hashes in hex, from the leaf to the root.")
    checkpoint: CheckpointView


class ConsistencyView(BaseModel):
    """From the root of ``old`` to that of ``new``, as RFC 6962 has it."""

    old: CheckpointView
    new: CheckpointView
    path: tuple[str, ...] = Field(description="Hashes in hex.")


@routes.get("/checkpoints")
async def list_checkpoints(
    desk: ReadingNow, limit: Limit = LIMIT, cursor: After = None
) -> PageView[CheckpointView]:
    """See what the notary signed, the latest first."""
    before = _size(cursor)
    found = await desk.run(lambda: desk.deps.proofs.checkpoints(before=before, limit=limit + 1))
    more = encode((found[limit - 1].size,)) if len(found) > limit else None
    return PageView(items=tuple(_shown(each) for each in found[:limit]), next=more)


@routes.get("/checkpoints/{size}")
async def read_checkpoint(desk: ReadingNow, size: Size) -> CheckpointView:
    """See one checkpoint."""
    return _shown(await desk.run(lambda: desk.deps.proofs.checkpoint(size)))


@routes.get("/checkpoints/{old}/consistency/{new}")
async def prove_consistency(desk: ReadingNow, old: Size, new: Size) -> ConsistencyView:
    """Prove that the log of a later checkpoint begins with that of an earlier one."""
    proof = await desk.run(lambda: desk.deps.proofs.consistency(old, new))
    return ConsistencyView(old=_shown(proof.old), new=_shown(proof.new), path=_hex(proof.path))


@routes.get("/events/{position}/proof")
async def prove_event(
    desk: ReadingNow,
    position: Position,
    size: Annotated[
        int | None, Query(ge=1, lt=2**63, description="In this checkpoint; else in the latest.")
    ] = None,
) -> InclusionView:
    """Prove that an event is in the log that the notary signed."""
    proof = await desk.run(lambda: desk.deps.proofs.inclusion(position, desk.tenant, size))
    return InclusionView(
        position=proof.position,
        number=proof.number,
        leaf=base64.b64encode(proof.leaf).decode(),
        path=_hex(proof.path),
        checkpoint=_shown(proof.checkpoint),
    )


def _size(cursor: str | None) -> int | None:
    match decode(cursor):
        case None:
            return None
        case (int(size),):
            return size
        case _:
            raise CursorIsInvalid


def _shown(checkpoint: Checkpoint) -> CheckpointView:
    return CheckpointView(
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        position=checkpoint.position,
        at=datetime.fromisoformat(checkpoint.time),
        note=checkpoint.note,
    )


def _hex(path: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in path)
