"""Keys over HTTP: issue one, whose text is shown this once; list them, and take them back."""

from secrets import token_bytes
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import Field

from application.authorization import Permission
from application.errors import AggregateNotFound
from application.keys import IssueKey, RevokeKey
from domain.access.aggregate import LONGEST_LIFE, ApiKey
from domain.access.events import ApiKeyIssued
from domain.access.text import SECRET_BYTES, digest_of
from domain.access.text import written as key_text
from domain.access.values import ActorName, Role
from domain.errors import ConflictError
from infrastructure.api.bodies import Body, Retirement
from infrastructure.api.dependencies import Expected, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import keys as read_model
from projections.keys import KeyRow

PATH = "/v1/keys"
routes = router(PATH, "keys", needs=Permission.MANAGE_KEYS)

Id = Annotated[UUID, Path(alias="key_id")]


class KeyWasShown(ConflictError):
    """The request was carried out before, and nobody here knows the text of its key any more."""

    code: ClassVar[str] = "api_key.shown"

    def __init__(self, key_id: UUID) -> None:
        super().__init__(
            f"The key {key_id} was issued to an earlier request with this Idempotency-Key, and its "
            "text was shown then. If nobody has it, revoke that key and issue another."
        )
        self.key_id = key_id


class NewKey(Body):
    """Who may act as what, for how long."""

    name: Annotated[ActorName, Field(description="Who acts with it, as the trail tells it.")]
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=len(Role))]
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_LIFE.days)] = 90


class IssuedKey(Written):
    """A new key."""

    key: str = Field(description="Its text. Keep it now: it is never shown again.")


@routes.post("", status_code=status.HTTP_201_CREATED)
async def issue_key(body: NewKey, desk: Writing, response: Response) -> IssuedKey:
    """Issue a key of your tenant. A new one may have the name of another: then both are good."""
    key_id = desk.new_id(ApiKey.KIND)
    text = key_text(desk.tenant, key_id, token_bytes(SECRET_BYTES))
    digest = digest_of(text)
    command = wish(IssueKey, key_id=key_id, digest=digest, **body.model_dump())
    receipt = await desk.dispatch(command)
    first, *_ = await desk.run(lambda: desk.history(ApiKey.KIND, key_id))
    assert isinstance(first.event, ApiKeyIssued)
    if first.event.digest != digest:
        raise KeyWasShown(key_id)
    done = written(response, receipt, f"{PATH}/{key_id}")
    return IssuedKey(**done.model_dump(), key=text)


@routes.get("")
async def list_keys(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those of one name.")] = None,
    revoked: Annotated[bool, Query(description="Those that were revoked, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[KeyRow]:
    """List the keys of your tenant, newest first; expired ones are among them."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.keys(
                store, tenant=desk.tenant, name=name, revoked=revoked, limit=limit, after=after
            )
        )
    )


@routes.get("/{key_id}")
async def get_key(id: Id, desk: Reading, response: Response) -> KeyRow:
    """Read one key, revoked or not. Its text is nowhere."""
    row = await desk.read(lambda store: read_model.key(store, id, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(ApiKey.KIND, id)
    tag(response, row.version)
    return row


@routes.post("/{key_id}/revoke")
async def revoke_key(
    id: Id, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a key back for good. Within 5 s nobody can use it any more, in no process."""
    command = wish(RevokeKey, key_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")
