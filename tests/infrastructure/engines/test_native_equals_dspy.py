"""The engine without DSPy asks, letter for letter, what DSPy asks, and reads answers alike."""

import json
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import JsonObject, ModelChoice, NotCarried, ProgramFailed, RunnableProgram
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind
from domain.program.edits import PredictorEdit
from domain.signature.constraints import Constraints
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.schemas import json_schema
from domain.signature.types import (
    INTEGER,
    PRIMITIVES,
    STRING,
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    UnionOf,
)
from domain.signature.validation import validate_inputs, validate_outputs
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.native.programs import made
from infrastructure.engines.native.prompts import AnswerIsUnreadable
from infrastructure.made_up import made_up
from infrastructure.models.catalog import build_engine
from tests.support.dspy_programs import (
    FakeEngine,
    MemoryJournal,
    bound,
    engine_on,
    single,
    spec,
    two_steps,
)
from tests.support.scripted_lm import ScriptedLmServer

THING: Final = ObjectOf(
    fields=(
        FieldSpec(name="name", type=STRING, description="What it is called"),
        FieldSpec(name="size", type=PRIMITIVES["probability"], optional=True),
        FieldSpec(name="parts", type=ListOf(item=INTEGER)),
    )
)
WORDS: Final = ("bug", "it's", 'say "so"', "both ' and \"")
TYPES: Final[dict[str, FieldType]] = {
    **{name: kind for name, kind in PRIMITIVES.items() if name not in {"image", "audio", "file"}},
    "words": EnumOf(values=WORDS),
    "list": ListOf(item=STRING),
    "lists": ListOf(item=ListOf(item=INTEGER)),
    "dict": DictOf(key=STRING, value=INTEGER),
    "numbered": DictOf(key=INTEGER, value=PRIMITIVES["float"]),
    "maybe": OptionalOf(of=STRING),
    "maybe a number": OptionalOf(of=INTEGER),
    "either": UnionOf(options=(INTEGER, STRING)),
    "object": THING,
    "objects": ListOf(item=THING),
    "bounded": ConstrainedOf(
        of=PRIMITIVES["float"], constraints=Constraints.model_validate({"gt": 0, "le": 2.5})
    ),
    "short": ConstrainedOf(
        of=STRING,
        constraints=Constraints.model_validate(
            {"min_length": 1, "max_length": 9, "pattern": "^[a-z ]+$"}
        ),
    ),
    "few": ConstrainedOf(
        of=ListOf(item=STRING), constraints=Constraints.model_validate({"max_items": 2})
    ),
}
del TYPES["history"]
TEXTS: Final = (
    "", "yes", "true", "True", "None", "null", "12", " 0.5 ", "1e3", "bug", "'bug'", "it's",
    "Literal['bug']", "[1, 2]", "[1, 2", '["a", "b"]', "a, b", '{"a": 1}', "{'a': 1}", '{"1": 0.5}',
    '{"name": "n", "parts": []}', '[{"name": "n", "parts": [1], "size": 0.25}]', "- one\n- two",
    "```json\n[1]\n```", "<<CUSTOM-TYPE-START-IDENTIFIER>>", "[[ ## x",
)  # fmt: skip


class Says(FakeEngine):
    """Answers every question with *text*."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def answer(self, request: lm15.Request) -> str:
        return self._text


def values_of(fields: tuple[FieldSpec, ...]) -> dict[str, JsonValue]:
    schema = json_schema(fields)
    known = schema.get("$defs", {})
    return {
        name: made_up({**part, "$defs": known}, name) for name, part in schema["properties"].items()
    }


def asked_by_dspy(program: RunnableProgram, inputs: JsonObject, text: str = "?") -> Any:
    """What DSPy asked first, and what it made of *text*, or nothing if it asked again."""
    engine, journal = Says(text), MemoryJournal()
    try:
        outputs: Any = engine_on(bound(engine)).execute(program, inputs, journal, live=True)
    except ProgramFailed as failed:
        outputs = failed.failure.code
    return journal.requests[0], outputs if len(journal.requests) == 1 else None


def of_type(kind: FieldType) -> SignatureSpec:
    """A signature with fields of *kind* on both sides, described and not, needed and not."""
    return SignatureSpec(
        inputs=(
            FieldSpec(name="given", type=kind, description="What there is"),
            FieldSpec(name="hint", type=kind, optional=True),
        ),
        outputs=(
            FieldSpec(name="found", type=kind, description="What it is"),
            FieldSpec(name="note", type=kind, optional=True),
        ),
        instructions="  Look.\n\n    Then say what it is.\n",
    )


@pytest.mark.feature("BRG-12")
@pytest.mark.parametrize("kind", [ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT])
@pytest.mark.parametrize("name", TYPES)
def test_brg_12_without_dspy_a_question_is_asked_in_its_very_words(
    name: str, kind: ModuleKind
) -> None:
    signature = of_type(TYPES[name])
    inputs, outputs = values_of(signature.inputs), values_of(signature.outputs)
    thought = {"reasoning": "So <<CUSTOM-TYPE-START-IDENTIFIER>> is."}
    whole = {**inputs, **outputs, **(thought if kind is ModuleKind.CHAIN_OF_THOUGHT else {})}
    demos = (whole, {"given": inputs["given"], "found": outputs["found"]}, {"hint": None})
    config = ModuleConfig(temperature=0.5, max_tokens=77, demos=demos)
    program = single(signature, kind=kind, config=config)
    for asked in (inputs, {"given": inputs["given"]}):
        given = validate_inputs(signature, asked)
        step = made(program).steps[0]
        ours = step.prompt.request(
            "fake/model", {**{field.name: None for field in signature.inputs}, **given}
        )
        assert ours == asked_by_dspy(program, asked)[0]


@pytest.mark.parametrize("name", TYPES)
def test_what_an_answer_says_is_what_it_says_to_dspy(name: str) -> None:
    signature = of_type(TYPES[name])
    program, inputs = single(signature), values_of(signature.inputs)
    sound = values_of(signature.outputs)["found"]
    texts = (sound if isinstance(sound, str) else json.dumps(sound), *TEXTS)
    prompt, agreed = made(program).steps[0].prompt, 0
    for found, with_note in zip(texts, cycle((True, False))):
        note = f"[[ ## note ## ]] {found}\n\n" if with_note else ""
        answer = f"So:\n[[ ## found ## ]]\n{found}\n\n{note}[[ ## completed ## ]]"
        _, outputs = asked_by_dspy(program, inputs, answer)
        try:
            read: Any = validate_outputs(signature, prompt.read(answer))
        except AnswerIsUnreadable:
            read = None
        except ValuesDoNotFit:
            read = "output.invalid"
        assert read == outputs, found
        agreed += read is not None
    assert agreed


def test_what_was_learned_and_edited_is_asked_as_dspy_asks_it() -> None:
    program = two_steps()
    demos = [{"question": "1?", "plan": "p"}]
    learned = {
        "plan": _state("Plan well.", ["What is asked", "${plan}"], demos),
        "solve.predict": _state("Solve.", ["${question}", "By it", "${reasoning}", "The end"], []),
    }
    edits = {"plan": PredictorEdit(demos=({"question": "2?", "plan": "q"},))}
    program = RunnableProgram("learned@2", program.graph, learned, edits)
    asked, _ = asked_by_dspy(program, {"question": "Why?"})
    steps = made(program).steps
    assert steps[0].prompt.request("fake/model", {"question": "Why?"}) == asked
    assert "What is asked" in asked["system"]
    assert [step.prompt.node for step in steps] == ["plan", "solve"]


def _state(instructions: str, told: list[str], demos: list[Any]) -> JsonValue:
    fields: list[JsonValue] = [{"prefix": "X:", "description": text} for text in told]
    return {
        "traces": [],
        "train": [],
        "demos": demos,
        "signature": {"instructions": instructions, "fields": fields},
        "lm": None,
    }


def test_the_same_bytes_reach_the_provider_and_each_resumes_what_the_other_recorded(
    tmp_path: Path,
) -> None:
    with ScriptedLmServer() as lm:
        choice = ModelChoice("openai/gpt-4o-mini", api_base=lm.url, api_key="sk-of-a-test")
        dspy = engine_on(
            build_engine(choice.name, api_base=lm.url, api_key="sk-of-a-test", home=tmp_path)
        )
        native = NativeEngine()
        native.configure(choice)
        program, inputs = two_steps(), {"question": "Why?"}
        by_dspy, by_native = MemoryJournal(), MemoryJournal()
        outputs = dspy.execute(program, inputs, by_dspy, live=True)
        assert native.execute(program, inputs, by_native, live=True) == outputs
        assert lm.bodies[:2] == lm.bodies[2:]
        assert by_native.requests == by_dspy.requests
        assert by_native.answers == by_dspy.answers
        unlike = {"latency_ms"}
        assert [call.model_dump(exclude=unlike) for call in by_native.calls] == [
            call.model_dump(exclude=unlike) for call in by_dspy.calls
        ]
        for engine, journal in ((dspy, by_native), (native, by_dspy)):
            assert engine.execute(program, inputs, journal, live=False) == outputs
        assert lm.calls == 4
        native.close()


def test_what_is_not_carried_is_refused_by_name() -> None:
    with pytest.raises(NotCarried, match="the adapter json"):
        made(RunnableProgram("a@1", single().graph, None, adapter="json"))
    listed = DEFAULTS[ModuleKind.PREDICT].model_copy(
        update={"demos": ({"question": ["a", "b"], "answer": "c"},)}
    )
    with pytest.raises(NotCarried, match="demos of solve with lists"):
        made(single(config=listed))
    for kind in (PRIMITIVES["image"], ListOf(item=PRIMITIVES["file"]), CodeOf(language="python")):
        with pytest.raises(NotCarried, match="fields like found"):
            made(single(spec("question", {"found": kind})))
