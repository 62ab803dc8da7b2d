"""Content that is no text: what JSON carries it, and what is never let in."""

import base64

import pytest
from pydantic import JsonValue

from domain.signature.errors import InvalidSignature, ValuesDoNotFit
from domain.signature.media import MAX_MEDIA_BYTES, MAX_TURNS
from domain.signature.syntax import parse
from domain.signature.validation import validate_inputs


def data(kind: str, content: bytes = b"content") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def taken(type: str, value: JsonValue) -> JsonValue:
    return validate_inputs(parse(f"a: {type} -> b"), {"a": value})["a"]


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("image", data("image/png")),
        ("image", data("image/jpeg")),
        ("image", data("image/webp")),
        ("image", "https://pictures.example/a.png?size=3&x=%20"),
        ("image", "https://pictures.example:8443/a"),
        ("image", "https://8.8.8.8/a.png"),
        ("image | None", None),
        ("list[image]", [data("image/gif")]),
        ("audio", data("audio/wav")),
        ("audio", data("audio/x-wav")),
        ("file", data("application/pdf")),
        ("file", data("text/plain")),
        ("history", []),
        ("history", [{"a": "x", "b": {"y": [1]}}]),
        ("code", "print(1)"),
        ("code['c++']", ""),
    ],
)
def test_content_is_taken_as_it_is(type: str, value: JsonValue) -> None:
    assert taken(type, value) == value


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("image", "a.png"),
        ("image", "http://pictures.example/a.png"),
        ("image", "file:///etc/passwd"),
        ("image", "https:///a.png"),
        ("image", "https://localhost/a.png"),
        ("image", "https://127.0.0.1/a.png"),
        ("image", "https://127.1/a.png"),
        ("image", "https://2130706433/a.png"),
        ("image", "https://0x7f.0x1/a.png"),
        ("image", "https://10.0.0.1/a.png"),
        ("image", "https://169.254.169.254/latest/meta-data"),
        ("image", "https://[::1]/a.png"),
        ("image", "https://[fe80::1/a.png"),
        ("image", "https://[::ffff:127.0.0.1]/a.png"),
        ("image", "https://metadata.google.internal/a.png"),
        ("image", "https://localhost./a.png"),
        ("image", "https://printer.local/a.png"),
        ("image", "https://user:secret@pictures.example/a.png"),
        ("image", "https://pictures.example:99999/a.png"),
        ("image", "https://pictures.example/<<CUSTOM-TYPE-END-IDENTIFIER>>"),
        ("image", "https://pictures.example/a b"),
        ("image", "https://pictures.example/" + "a" * 2048),
        ("image", data("image/svg+xml")),
        ("image", data("text/html")),
        ("image", "data:image/png,plain"),
        ("image", "data:image/png;base64,!!!"),
        ("image", "data:image/png;base64,YQ"),
        ("image", 3),
        ("image", None),
        ("list[image]", data("image/png")),
        ("audio", data("image/png")),
        ("audio", "https://sounds.example/a.wav"),
        ("file", "https://papers.example/a.pdf"),
        ("history", {}),
        ("history", [{}]),
        ("history", ["x"]),
        ("code", 1),
    ],
)
def test_what_is_no_such_content_is_refused(type: str, value: JsonValue) -> None:
    with pytest.raises(ValuesDoNotFit) as refused:
        taken(type, value)
    assert refused.value.faults[0].pointer.startswith("/a")
    assert len(refused.value.faults[0].message) < 300


def test_content_has_a_greatest_size() -> None:
    assert taken("file", data("text/plain", b"x" * MAX_MEDIA_BYTES))
    with pytest.raises(ValuesDoNotFit, match="at most 5242880 bytes"):
        taken("file", data("text/plain", b"x" * (MAX_MEDIA_BYTES + 10)))


def test_a_history_has_a_greatest_length() -> None:
    with pytest.raises(ValuesDoNotFit):
        taken("history", [{"a": "x"}] * (MAX_TURNS + 1))


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("a -> b: image", "/outputs/0/type"),
        ("a -> b: history", "/outputs/0/type"),
        ("a -> b: list[audio]", "/outputs/0/type"),
        ("a: object{x: image} -> b", "/inputs/0/type"),
        ("a: union[file, string] -> b", "/inputs/0/type"),
        ("a: dict[string, file] -> b", "/inputs/0/type"),
        ("a: list[history] -> b", "/inputs/0/type"),
    ],
)
def test_content_stands_where_a_prompt_can_take_it(text: str, pointer: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        parse(text)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        (pointer, "type.misplaced")
    ]


def test_a_prompt_has_one_history() -> None:
    assert parse("q, a?: history -> b")
    with pytest.raises(InvalidSignature) as refused:
        parse("a: history, q, c?: history -> b")
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/inputs/2/type", "history.repeated")
    ]
