"""Golden prompts: whatever changes what a model reads is seen here first."""

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import dspy
import pytest

from domain.module.values import ModuleConfig, ModuleKind
from domain.signature.types import EnumOf, Primitive
from infrastructure.dspy_runtime.adapters import SafeChatAdapter, SafeJsonAdapter
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single, spec

GOLDEN = Path(__file__).parent / "golden"
TRIAGE = spec(
    "message",
    {"queue": EnumOf(values=("bug", "billing")), "sure": Primitive(name="probability")},
    "Send the message to the right queue.",
)
DEMOS = (
    {"message": "The app crashes", "queue": "bug", "sure": 0.9},
    {"message": "Charged twice", "queue": "billing", "sure": 1.0},
)


class WithSchema(FakeEngine):
    supports_response_schema = True
    supported_params = frozenset({"response_format"})


def prompt(kind: ModuleKind, adapter: str, *, demos: bool) -> str:
    config = ModuleConfig(temperature=0.0, max_tokens=100, demos=DEMOS if demos else ())
    journal = MemoryJournal()
    model = bound(WithSchema(), adapter=adapter)
    program = single(TRIAGE, kind=kind, config=config)
    DspyRunner(model).run(program, {"message": "Why was I charged?"}, journal, live=True)
    return "\n".join(_lines(journal.requests[0]))


def _lines(request: object) -> Iterator[str]:
    assert isinstance(request, dict)
    yield f"--- system\n{request['system']}"
    for message in request["messages"]:
        text = "".join(part["text"] for part in message["parts"])
        yield f"--- {message['role']}\n{text}"
    yield f"--- config\n{json.dumps(request['config'], indent=2)}"


@pytest.mark.parametrize("adapter", ["chat", "json"])
@pytest.mark.parametrize("kind", [ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT])
@pytest.mark.feature("MOD-13")
def test_mod_13_a_prompt_is_instruction_demos_inputs_and_output_instructions(
    kind: ModuleKind, adapter: str
) -> None:
    golden = GOLDEN / f"{kind.value}_{adapter}.txt"
    assert prompt(kind, adapter, demos=True) + "\n" == golden.read_text()


@pytest.mark.feature("MOD-14")
def test_mod_14_two_demos_are_two_examples_before_the_question() -> None:
    written = prompt(ModuleKind.PREDICT, "chat", demos=True)
    without = prompt(ModuleKind.PREDICT, "chat", demos=False)
    assert written.count("--- user") == without.count("--- user") + 2 == 3
    crash, twice, asked = (
        written.index(text) for text in ("The app crashes", "Charged twice", "Why was I charged?")
    )
    assert crash < twice < asked


QUESTION = "question, sure: float -> answer, queue: list[int]"


def written(adapter: dspy.Adapter, signature: type[dspy.Signature]) -> object:
    return adapter.format(signature, [], {"question": "Is it tall?", "sure": 0.5})


@pytest.mark.feature("MOD-13")
def test_mod_13_what_is_said_before_a_question_is_as_dspy_says_it_after_any_change() -> None:
    signature = dspy.Signature(QUESTION, "Answer.")

    def is_as_dspy_says_it() -> bool:
        chat = written(SafeChatAdapter(), signature) == written(dspy.ChatAdapter(), signature)
        return chat and written(SafeJsonAdapter(), signature) == written(
            dspy.JSONAdapter(), signature
        )

    assert is_as_dspy_says_it()
    assert is_as_dspy_says_it(), "nothing was changed"
    signature.instructions = "Answer as a pirate."
    assert is_as_dspy_says_it()
    signature.output_fields["queue"].json_schema_extra["desc"] = "Numbers of queues"
    assert is_as_dspy_says_it()
    signature.output_fields["queue"].annotation = list[str]
    assert is_as_dspy_says_it()


def test_what_was_said_of_a_signature_is_forgotten_with_it() -> None:
    signature = dspy.Signature(QUESTION)
    written(SafeChatAdapter(), signature)
    there = weakref.ref(signature)
    del signature
    gc.collect()
    assert there() is None
