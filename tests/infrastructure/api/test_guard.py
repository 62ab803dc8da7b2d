"""What never gets past the door, and what the door says."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.api.guard import MAX_BODY_BYTES
from infrastructure.api.problems import EdgeError
from infrastructure.api.strict_json import parse
from tests.support.api import ApiWorld, seconds

COMPILE = "/v1/signatures/compile"


@pytest.fixture(scope="module")
def api() -> Iterator[TestClient]:
    with ApiWorld().client() as client:
        yield client


def compile_raw(api: TestClient, body: bytes, kind: str = "application/json") -> tuple[int, str]:
    reply = api.post(COMPILE, content=body, headers={"Content-Type": kind})
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == reply.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    assert reply.headers["X-Correlation-Id"] == problem["correlation_id"]
    codes = [fault["code"] for fault in problem["faults"]] or [problem["code"]]
    return reply.status_code, codes[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"syntax": ', (400, "json.malformed")),
        (b'{"syntax": "a -> b"} x', (400, "json.malformed")),
        (b'{"syntax": "a -> b",}', (400, "json.malformed")),
        (b"{'syntax': 'a -> b'}", (400, "json.malformed")),
        (b"   ", (400, "json.malformed")),
        (b"[" * 70, (422, "json.too_deep")),
        (b"[" * 100_000 + b"]" * 100_000, (422, "json.too_deep")),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, (422, "json.too_deep")),
        (b"[" + b"[]," * 200_000 + b"1]", (422, "json.too_many_parts")),
        (b'{"syntax": NaN}', (422, "json.not_finite")),
        (b'{"syntax": -Infinity}', (422, "json.not_finite")),
        (b'{"syntax": 1.5, "spec": NaN}', (422, "json.not_finite")),
        (b'{"syntax": 1e400}', (422, "json.number_too_large")),
        (b'{"syntax": ' + b"9" * 5000 + b"}", (422, "json.number_too_large")),
        (b'{"syntax": "a\\u0000 -> b"}', (422, "text.unsafe")),
        (b'{"syntax": "a\x00 -> b"}', (422, "text.unsafe")),
        (b'{"syntax": "\\ud800 -> b"}', (422, "text.unsafe")),
        (b'{"syntax": "\\udc00\\ud800 -> b"}', (422, "text.unsafe")),
        (b'{"\\ud800": 1}', (422, "text.unsafe")),
        (b'{"syntax": "a -> b", "syntax": "a -> c"}', (422, "json.duplicate_key")),
        (b'{"syntax": "\xff"}', (400, "text.not_utf8")),
        (b'{"syntax": "\xed\xa0\x80"}', (400, "text.not_utf8")),
        (b'\xef\xbb\xbf{"syntax": "a -> b"}', (400, "text.not_utf8")),
        ('{"syntax": "a -> b"}'.encode("utf-16"), (400, "text.not_utf8")),
        (b"[]", (422, "model_attributes_type")),
    ],
)
def test_malformed_json_is_refused_with_its_code(
    api: TestClient, body: bytes, expected: tuple[int, str]
) -> None:
    assert compile_raw(api, body) == expected


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "application/json; charset=utf-16", "text/csv", "", ";"],
)
def test_another_media_type_is_refused(api: TestClient, kind: str) -> None:
    status, code = compile_raw(api, b'{"syntax": "a -> b"}', kind)
    assert (status, code) == (415, "media_type.unknown")


def test_a_compressed_body_is_refused(api: TestClient) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    reply = api.post(COMPILE, content=b"\x1f\x8b", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (415, "media_type.unknown")


def test_a_body_of_10_mb_is_refused_by_its_length(api: TestClient) -> None:
    body = b'{"syntax": "' + b"a" * 10_000_000 + b'"}'
    assert compile_raw(api, body) == (413, "body.too_large")


def test_a_body_of_10_mb_without_a_length_is_refused_while_it_comes(api: TestClient) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(160):
            sent += 65_536
            yield b" " * 65_536

    reply = api.post(COMPILE, content=chunks(), headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (413, "body.too_large")


def test_a_length_of_a_thousand_digits_is_refused(api: TestClient) -> None:
    headers = {"Content-Length": "9" * 1000, "Content-Type": "application/json"}
    reply = api.post(COMPILE, content=b"{}", headers=headers)
    assert reply.json()["code"] == "body.too_large"


@pytest.mark.parametrize("address", ["/v1/signatures/a%00b", "/v1/signatures?name=a%00b"])
def test_a_nul_in_the_address_is_refused(api: TestClient, address: str) -> None:
    reply = api.get(address)
    assert (reply.status_code, reply.json()["code"]) == (422, "address.unsafe")


def test_the_fault_points_at_the_unsafe_text(api: TestClient) -> None:
    reply = api.post(COMPILE, json={"spec": {"inputs": [{"name": "a\x00"}]}})
    assert reply.json()["faults"] == [
        {
            "in": "body",
            "pointer": "/spec/inputs/0/name",
            "code": "text.unsafe",
            "message": "This text holds a NUL character at character 2. Remove it.",
        }
    ]


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse(rb'"\\u0000"') == "\\u0000"


def test_brackets_in_strings_are_no_depth() -> None:
    text = "[" * 100 + '\\"' + "{" * 100
    assert parse(json.dumps([text]).encode()) == [text]


def test_integers_keep_every_digit() -> None:
    assert parse(b"[123456789012345678901234567890]") == [123456789012345678901234567890]


@pytest.mark.parametrize(
    "storm",
    [
        b"[" * 70 + b'"a\\' * 2_600_000,
        b"[" * MAX_BODY_BYTES,
        b"[" + b"{}," * 2_700_000 + b"1]",
        b"[" + b"{}," * 199_000 + b"1]",
        b"[" + (b"[" * 60 + b"]" * 60 + b",") * 3_300 + b"1]",
    ],
    ids=["quotes", "open", "flat", "many", "nested"],
)
def test_the_worst_8_mb_take_linear_time(storm: bytes) -> None:
    def check() -> None:
        try:
            parse(storm)
        except EdgeError:
            return

    assert seconds(check) < 5


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('abc/~"\\[{'), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_is_json_is_read_as_it_is(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(
    st.binary(max_size=200) | st.text('[]{}",:\\ud8001e9NaNInfinity', max_size=60).map(str.encode)
)
def test_any_bytes_give_a_value_or_a_typed_refusal(raw: bytes) -> None:
    try:
        value = parse(raw)
    except EdgeError as error:
        status = error.status
    else:
        status = 200
        assert parse(json.dumps(value).encode()) == value
    assert status in (200, 400, 422)
