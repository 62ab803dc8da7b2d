"""A-12: no route tells a tenant anything of another one, not even that there is something.

How to add a case for a new route is told in ``cases``.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

import httpx2
import pytest

from infrastructure.api import feed
from tests.isolation.cases import CASES, PARAMETERS, PLAIN, Ask
from tests.isolation.things import KINDS, SIGNED, Tenant, Things, nobodys, without_ids
from tests.support.openapi import DOCUMENT
from tests.support.sse import sent, serving, stream
from tests.support.walled import Walled

pytestmark = [pytest.mark.postgres, pytest.mark.feature("VIS-24")]

MOST: Final = 1500
"""Forged requests of each tenant: some four thousand are possible."""

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ITS_OWN: Final = {"x-correlation-id", "date", "content-length"}
"""Headers in which two equal replies differ."""

Pair = tuple[Tenant, Tenant]


def test_vis_24_every_route_of_the_document_has_a_case() -> None:
    """What fails here is a new route: see ``tests.isolation.cases``."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    routes = {f"{m.upper()} {path}" for path, told in paths.items() for m in told if m in _METHODS}
    assert routes - CASES.keys() == set(), "Add a case for each of these in tests.isolation.cases."
    assert CASES.keys() - routes == set(), "These cases are of routes that are no more."


def test_vis_24_what_is_another_tenants_is_as_if_it_were_not_there(
    service: Walled, tenants: Pair
) -> None:
    """All routes in their order: those at the end take things out of service."""
    failed: list[str] = []
    for route, asks in CASES.items():
        service.settle()
        for (mine, theirs), ask in product((tenants, tenants[::-1]), asks):
            try:
                _keeps_apart(route, ask, mine, theirs)
            except AssertionError as error:
                failed.append(f"{route} as {mine.name}: {error}")
    assert failed == []


def test_vis_24_no_forged_id_finds_anything_whatever_goes_with_it(tenants: Pair) -> None:
    """Ids of every kind, in every path that takes an id, with all that may go with a request."""
    possible = list(product(_with_ids(), KINDS, _GIVEN))
    for mine, theirs in (tenants, tenants[::-1]):
        missing: dict[str, Any] = {}
        for route, kind, given in Random(mine.name).sample(possible, MOST):
            foreign = _send(mine, route, Ask(body={}), _all(theirs.things[kind]), given)
            key = f"{route} {given}"
            if key not in missing:
                missing[key] = _seen(_send(mine, route, Ask(body={}), nobodys(mine.things), given))
            assert _seen(foreign) == missing[key], f"{key} {kind}"
            _is_silent(foreign, theirs)


_GIVEN: Final[Sequence[Mapping[str, str]]] = (
    {},
    {"If-Match": '"1"'},
    {"If-Match": '"7"', "Idempotency-Key": "one"},
    {"If-None-Match": '"1"'},
)


def test_vis_24_pages_of_one_tenant_lead_on_to_nothing_of_another(tenants: Pair) -> None:
    for (mine, theirs), route in product((tenants, tenants[::-1]), _lists()):
        path, page = route.split(" ")[1], theirs.api.get(route.split(" ")[1], params={"limit": 1})
        if (cursor := page.json().get("next")) is None:
            continue
        reply = mine.api.get(path, params={"limit": 200, "cursor": cursor})
        assert reply.status_code == 200, reply.text
        _is_silent(reply, theirs)


def test_vis_24_no_position_of_the_past_shows_another_tenant(
    service: Walled, tenants: Pair
) -> None:
    service.settle()
    head = service.system.log.head()
    lists = [route for route in _lists() if "checkpoints" not in route and "attempts" not in route]
    for (mine, theirs), route in product((tenants, tenants[::-1]), lists):
        for as_of in range(1, head, max(1, head // 6)):
            reply = mine.api.get(route.split(" ")[1], params={"as_of": as_of})
            assert reply.status_code in (200, 422), reply.text
            _is_silent(reply, theirs)


def test_vis_24_a_stream_tells_what_happens_to_its_tenant_alone(
    service: Walled, tenants: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_AGAIN_S", 0.02)
    mine, theirs = tenants
    head = service.system.log.head()
    with serving(service.app) as at, stream(at.url, mine.name, after=0) as reply:
        told = sent(reply)
        past = [next(told) for _ in range(_count(mine))]
        assert theirs.secret not in repr(past)
        for number in range(3):
            for tenant in (theirs, mine):
                body = {"name": f"live-{number}", "description": tenant.secret}
                assert tenant.api.post("/v1/datasets", json=body).status_code == 201
            event = next(told)
            assert int(event.id) > head
            assert event.data["data"]["description"] == mine.secret


def test_vis_24_equal_keys_of_two_tenants_are_two_commands(tenants: Pair) -> None:
    body, key = {"name": "keyed"}, {"Idempotency-Key": "the-same"}
    replies = [it.api.post("/v1/datasets", json=body, headers=key) for it in tenants]
    first, second = (reply.json()["id"] for reply in replies)
    assert [reply.status_code for reply in replies] == [201, 201]
    assert first != second
    for mine, made in zip(tenants, (first, second), strict=True):
        again = mine.api.post("/v1/datasets", json=body, headers=key)
        assert again.json()["id"] == made
    other = tenants[1].api.post("/v1/datasets", json={"name": "other"}, headers=key)
    assert other.json()["code"] == "idempotency_key.reused"
    assert tenants[0].api.post("/v1/datasets", json=body, headers=key).status_code == 201


def test_vis_24_an_id_of_another_tells_neither_whose_nor_what_it_is(tenants: Pair) -> None:
    for mine, theirs in (tenants, tenants[::-1]):
        told = set[str]()
        for kind in ("program", "dataset", "execution", "tool", "probe"):
            reply = mine.api.post("/v1/datasets", json={"id": theirs.things[kind], "name": "mine"})
            assert (reply.status_code, reply.json()["code"]) == (409, "id.unusable")
            _is_silent(reply, theirs)
            told.add(_seen(reply)[1])
            assert mine.api.get(f"/v1/datasets/{theirs.things[kind]}").status_code == 404
        assert len(told) == 1


def test_vis_24_what_follows_from_another_tenants_words_cannot_be_asked_for(tenants: Pair) -> None:
    """Or whoever guesses a key of another tenant's would learn that it was used."""
    mine, theirs = tenants
    key = {"Idempotency-Key": "to-be-guessed"}
    taken = theirs.api.post("/v1/datasets", json={"name": "x"}, headers=key).json()["id"]
    free = uuid5(NAMESPACE_DNS, "never used")
    used, unused = (
        mine.api.post("/v1/datasets", json={"id": str(each), "name": "y"}) for each in (taken, free)
    )
    assert (used.status_code, used.json()["code"]) == (422, "id.derived")
    assert _seen(used) == _seen(unused)


def test_vis_24_a_document_that_is_known_is_known_to_its_tenant_alone(
    service: Walled, tenants: Pair
) -> None:
    service.settle()
    first, second = (it.api.get("/openapi.json") for it in tenants)
    assert "X-Stratal-Tenant" in first.headers["Vary"]
    for mine, reply, theirs in ((0, first, 1), (1, second, 0)):
        _is_silent(reply, tenants[theirs])
        known = tenants[theirs].api.get(
            "/openapi.json", headers={"If-None-Match": reply.headers["ETag"]}
        )
        assert known.status_code == 200 or known.headers["ETag"] == reply.headers["ETag"]
        assert tenants[mine].api.get("/openapi.json").text == reply.text


def test_vis_24_jobs_and_logs_hold_nothing_that_a_tenant_wrote(
    service: Walled, tenants: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for mine in tenants:
            assert mine.api.post("/v1/programs/triage/execute?wait=0", json={"inputs": {}})
            body = {"inputs": {"message": mine.secret}}
            mine.api.post("/v1/programs/triage/execute?wait=0", json=body)
        service.settle()
    assert {tenant for tenant, _ in service.queued} >= {each.name for each in tenants}
    for tenant, message in service.queued:
        body = json.loads(message)
        assert body["kwargs"]["context"]["tenant"] == tenant
        assert not any(each.secret in _texts(body["kwargs"]["body"]) for each in tenants)
        others = [each for each in tenants if each.name != tenant]
        assert not any(each.secret.encode() in message for each in others)
    assert not any(each.secret in caplog.text for each in tenants)


def _keeps_apart(route: str, ask: Ask, mine: Tenant, theirs: Tenant) -> None:
    own = _send(mine, route, ask, mine.things)
    assert own.status_code < 300 or own.status_code in (409, 503), own.text
    _is_silent(own, theirs)
    if _is_aimed(route, ask):
        foreign = _send(mine, route, ask, theirs.things)
        _is_silent(foreign, theirs)
        missing = _send(mine, route, ask, nobodys(mine.things))
        assert _seen(foreign) == _seen(missing)


def _send(
    tenant: Tenant,
    route: str,
    ask: Ask,
    things: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    method, path = route.split(" ")
    means = {**PLAIN, **{name: f"${kind}" for name, kind in PARAMETERS.items()}, **ask.path}
    for name, word in means.items():
        if word == "own":
            means[name] = tenant.things[PARAMETERS[name]]
    filled = _filled(path.format_map(_Means(means)), things)
    body = None
    if method != "GET" and ask.body is not None:
        body = _filled(ask.body, things)
        if route == "POST /v1/programs/import" and ask.query:
            body = tenant.api.get("/v1/programs/triage/export").json()
    sent: dict[str, Any] = {"json": body}
    if isinstance(body, str):
        sent = {"content": body}
        headers = {"Content-Type": "application/x-ndjson", **(headers or {})}
    return tenant.api.request(
        method, filled, params=_filled(ask.query, things), headers=headers, **sent
    )


class _Means(dict[str, str]):
    def __missing__(self, name: str) -> str:
        raise AssertionError(f"Say in PARAMETERS or PLAIN what {{{name}}} means.")


def _filled(value: Any, things: Mapping[str, str]) -> Any:
    """*value* with every ``$word`` replaced by the thing that it means."""
    match value:
        case str():
            for kind in sorted(things, key=len, reverse=True):
                value = value.replace(f"${kind}", things[kind])
            return value
        case dict():
            return {key: _filled(each, things) for key, each in value.items()}
        case list():
            return [_filled(each, things) for each in value]
        case _:
            return value


def _is_aimed(route: str, ask: Ask) -> bool:
    """Whether the request names a thing that may be another's."""
    named = {name for name, kind in PARAMETERS.items() if kind not in SIGNED}
    path = {name for name in named if f"{{{name}}}" in route and ask.path.get(name) != "own"}
    return bool(path) or "$" in json.dumps([dict(ask.query), ask.body, dict(ask.path)])


def _seen(reply: httpx2.Response) -> tuple[int, str, Mapping[str, str]]:
    headers = {
        name: without_ids(value)
        for name, value in reply.headers.items()
        if name.lower() not in _ITS_OWN
    }
    return reply.status_code, without_ids(reply.text), headers


def _is_silent(reply: httpx2.Response, other: Tenant) -> None:
    """Nothing in *reply* is the other tenant's, but for ids that it was asked with."""
    everything = reply.text + json.dumps(dict(reply.headers))
    assert other.secret not in everything
    if "/audit/attempts" in reply.request.url.path:
        return  # it tells a tenant what it asked for, forged ids and all
    asked = str(reply.request.url) + bytes(reply.request.content).decode()
    ids = [other.things[kind] for kind in KINDS]
    assert not [each for each in ids if each in everything and each not in asked]


def _all(id: str) -> Things:
    return dict.fromkeys((*KINDS, "position", *SIGNED), id)


def _with_ids() -> Iterator[str]:
    return (
        route
        for route in CASES
        if any(f"{{{name}}}" in route for name, kind in PARAMETERS.items() if kind in KINDS)
    )


def _lists() -> Iterator[str]:
    return (r for r, asks in CASES.items() if "limit" in asks[0].query and "{" not in r)


def _count(tenant: Tenant) -> int:
    found, after = 0, 0
    while items := tenant.api.get("/v1/events", params={"after": after}).json()["items"]:
        found, after = found + len(items), items[-1]["position"]
    return found


def _texts(value: object) -> str:
    return json.dumps(value)
