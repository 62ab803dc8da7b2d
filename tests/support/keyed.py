"""An API world that is open to keys alone."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from secrets import token_bytes
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from application.authorization import EVERYBODY
from application.context import Context
from application.keys import IssueKey
from domain.access.text import SECRET_BYTES, digest_of, written
from domain.access.values import Role
from infrastructure.api.callers import Caller
from infrastructure.api.keyring import Keyring
from tests.support.api import ApiWorld


def key_of(
    world: ApiWorld, *roles: Role, tenant: str = "acme", name: str = "ann", days: int = 90
) -> str:
    """The text of a new key, which is issued beside HTTP."""
    key_id = uuid4()
    text = written(tenant, key_id, token_bytes(SECRET_BYTES))
    wish = IssueKey(
        key_id=key_id, name=name, roles=roles, expires_in_days=days, digest=digest_of(text)
    )
    context = Context(tenant=tenant, actor="root", correlation_id=uuid4(), roles=EVERYBODY)
    world.dispatch(wish, context)
    return text


def keyring(world: ApiWorld, *, fresh_s: float = 0.0, ahead: timedelta = timedelta()) -> Keyring:
    """Who asks a world, by key; *ahead* of the world's clock."""
    return Keyring(world.log.stream, lambda: world.clock.now() + ahead, fresh_s=fresh_s)


def bearer(key: str) -> dict[str, str]:
    """The header that sends *key*."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def asking(world: ApiWorld, key: str | None = None, **changes: Any) -> Generator[TestClient]:
    """A world that is open to keys alone, asked with *key*."""
    app = world.app(**{"callers": keyring(world)} | changes) if changes else _app(world)
    with TestClient(app, headers=bearer(key) if key else {}) as client:
        yield client


@cache
def _app(world: ApiWorld) -> FastAPI:
    """One for all tests of a world: making it takes as long as ten of them."""
    return world.app(callers=keyring(world))


@dataclass
class As:
    """Everybody who asks is of *tenant* and has *roles*."""

    roles: frozenset[Role]
    tenant: str = "acme"

    async def who(self, headers: Headers) -> Caller:
        return Caller(self.tenant, "ann", self.roles)
