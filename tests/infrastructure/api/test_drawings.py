"""Pictures of programs over HTTP."""

from uuid import UUID
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from application.drawing.mermaid import mermaid
from application.drawing.svg import svg
from tests.support.api import a_program
from tests.support.graphs import module, simplified_baleen

NOBODY = UUID(int=1)
BALEEN = simplified_baleen(module("query -> passages: list[string]"))


@pytest.fixture
def baleen(api: TestClient) -> str:
    graph = BALEEN.model_dump(mode="json")
    made = api.post("/v1/programs", json={"name": "baleen", "graph": graph})
    assert made.status_code == 201, made.text
    return "/v1/programs/baleen/versions"


@pytest.mark.feature("MOD-29")
def test_mod_29_the_graph_of_a_version_is_drawn(api: TestClient, baleen: str) -> None:
    reply = api.get(f"{baleen}/1/drawing")
    assert reply.headers["content-type"] == "image/svg+xml"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert reply.text == svg(BALEEN, "baleen, version 1")
    assert ElementTree.fromstring(reply.text).tag.endswith("svg")


def test_a_picture_is_also_text_for_mermaid(api: TestClient, baleen: str) -> None:
    reply = api.get(f"{baleen}/1/drawing", params={"format": "mermaid"})
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text == mermaid(BALEEN)


def test_a_version_is_drawn_by_the_id_of_its_program(api: TestClient) -> None:
    program_id = a_program(api)
    reply = api.get(f"/v1/programs/{program_id}/versions/1/drawing")
    assert "predict" in reply.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("baleen/versions/2/drawing", 404, "program.version_not_found"),
        ("nobody/versions/1/drawing", 404, "not_found"),
        (f"{NOBODY}/versions/1/drawing", 404, "not_found"),
        ("baleen/versions/0/drawing", 422, "request.invalid"),
        ("baleen/versions/1/drawing?format=png", 422, "request.invalid"),
    ],
)
@pytest.mark.usefixtures("baleen")
def test_what_is_not_there_is_not_drawn(api: TestClient, path: str, status: int, code: str) -> None:
    reply = api.get(f"/v1/programs/{path}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_a_picture_of_the_past_is_of_what_was_there_then(api: TestClient) -> None:
    made = api.post(
        "/v1/programs", json={"name": "baleen", "graph": BALEEN.model_dump(mode="json")}
    )
    then, path = made.json()["position"], "/v1/programs/baleen/versions/1/drawing"
    assert api.get(path, params={"as_of": then}).text == svg(BALEEN, "baleen, version 1")
    assert api.get(path, params={"as_of": then - 1}).status_code == 404
