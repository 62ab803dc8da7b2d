"""The scripted model answers by rule, validly for any fields, and notes each call."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15

from domain.signature.syntax import parse
from domain.signature.types import (
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
    UnionOf,
)
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelSettingIsInvalid
from infrastructure.models.scripted import Script, ScriptedEngine
from tests.support.dspy_programs import MemoryJournal, bound, single, spec

TYPES: list[FieldType] = [
    STRING,
    *(
        Primitive(name=name)
        for name in (
            "integer",
            "float",
            "boolean",
            "array",
            "map",
            "any",
            "probability",
            "confidence_score",
            "reasoning_chain",
            "token_count",
        )
    ),
    ListOf(item=Primitive(name="integer")),
    DictOf(key=STRING, value=Primitive(name="float")),
    EnumOf(values=("a", "it's", 'say "b"', "c, then `d`")),
    OptionalOf(of=Primitive(name="integer")),
    UnionOf(options=(Primitive(name="integer"), STRING)),
    ListOf(item=EnumOf(values=("x", "y"))),
    *(
        parse(f"a -> b: {written}").outputs[0].type
        for written in (
            "code",
            "integer(ge=100, lt=102)",
            "integer(gt=-3, le=-2)",
            "integer(ge=5)",
            "float(gt=0.5, lt=0.7)",
            "string(min_length=40)",
            "string(max_length=3)",
            "string(min_length=2, max_length=3)",
            "object{x: string, y?: integer(ge=7, le=8), z: list[object{w: enum[a, b]}]}",
            "list[object{x: float(lt=0), ok: boolean, many: list[string](min_items=3)}]",
            "optional[object{x: string(min_length=30), one: enum[only], n: integer | string}]",
        )
    ),
]


def asked(text: str, system: str | None = None) -> lm15.Request:
    return lm15.Request(model="scripted/x", messages=(lm15.Message.user(text),), system=system)


def engine(**script: Any) -> ScriptedEngine:
    return ScriptedEngine(Script.model_validate(script))


@pytest.mark.parametrize("adapter", ["chat", "json"])
@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.model_dump_json()[:60])
def test_the_default_answer_is_valid_for_fields_of_every_type(
    kind: FieldType, adapter: str
) -> None:
    program = single(spec("message", {"first": STRING, "value": kind}))
    runner = DspyRunner(bound(engine(), adapter=adapter))
    outputs = runner.run(program, {"message": "hi"}, MemoryJournal(), live=True)
    assert set(outputs) == {"first", "value"}


def test_the_same_request_has_the_same_answer_in_every_process() -> None:
    code = (
        "from dspy import lm15; from infrastructure.models.scripted import Script, ScriptedEngine;"
        "request = lm15.Request(model='scripted/x', messages=(lm15.Message.user('Hello'),));"
        "print(ScriptedEngine(Script()).complete(request).message.text)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert said == {engine().complete(asked("Hello")).message.text}


def test_the_first_rule_that_matches_wins() -> None:
    scripted = engine(
        rules=[
            {"match": {"contains": "crash"}, "text": "bug"},
            {"match": {"regex": r"\d+ euros"}, "text": "billing"},
            {"match": {"equals": "hello"}, "text": "greeting"},
            {"match": {"contains": "polite", "in": "prompt"}, "text": "system"},
        ],
        default={"text": "other"},
    )
    said = [
        scripted.complete(request).message.text
        for request in (
            asked("it crashes for 5 euros"),
            asked("5 euros"),
            asked(" hello "),
            asked("hello there", "Be polite."),
            asked("hello there"),
        )
    ]
    assert said == ["bug", "billing", "greeting", "system", "other"]


def test_a_rule_reads_the_texts_around_a_picture() -> None:
    picture = lm15.ImagePart(url="https://pictures.example/a.png")
    request = lm15.Request(
        model="scripted", messages=(lm15.Message.user([lm15.TextPart("What is"), picture]),)
    )
    scripted = engine(rules=[{"match": {"equals": "What is"}, "text": "a cat"}])
    assert scripted.complete(request).message.text == "a cat"


def test_a_rule_may_hold_for_some_calls_only() -> None:
    scripted = engine(rules=[{"error": {"kind": "rate_limit", "retry_after_s": 2}, "times": 2}])
    for _ in range(2):
        with pytest.raises(lm15.RateLimitError) as error:
            scripted.complete(asked("x"))
        assert error.value.retry_after == 2
    assert scripted.complete(asked("x")).finish_reason == "stop"


def test_tokens_and_latency_are_as_told() -> None:
    scripted = engine(default={"text": "x", "tokens": [11, 22], "latency_ms": 1})
    usage = scripted.complete(asked("x")).usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (11, 22, 33)


def test_each_call_is_noted_before_it_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"log": "calls.jsonl", "default": {"error": {"kind": "server"}}}))
    for _ in range(2):  # two processes share a log in this way
        with pytest.raises(lm15.ServerError):
            ScriptedEngine.from_file(path).complete(asked("x"))
    notes = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert len(notes) == 2
    assert notes[0] == notes[1]
    assert set(notes[0]) == {"pid", "rule", "request"}


@pytest.mark.parametrize("content", [None, "{", '{"rules": [{"reply": 1}]}', '{"surprise": 1}'])
def test_a_script_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "script.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelSettingIsInvalid, match=r"script\.json"):
        ScriptedEngine.from_file(path)


def test_a_request_that_asks_for_no_fields_gets_a_text() -> None:
    assert (engine().complete(asked("Hello")).message.text or "").startswith("answer ")


def test_dspy_takes_the_engine_as_its_own() -> None:
    lm = dspy.LM("scripted/x", engine=engine(default={"text": "hi"}), cache=False)
    assert lm("Hello") == ["hi"]
