"""Running a program: its defaults, its demos, its failures, and what never leaks out of DSPy."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import dspy
import pytest
from dspy import lm15

from application.lm_ports import ProgramFailed, RunnableProgram
from application.tracing import Attributes
from domain.module.values import ModuleConfig, ModuleKind
from domain.program.graph import Source
from domain.signature.fields import FieldSpec
from domain.signature.types import STRING, EnumOf, FieldType, Primitive
from domain.values import LmCall
from infrastructure.dspy_runtime import state as states
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.wire import response_of
from infrastructure.models.answers import answer_text
from infrastructure.models.scripted import Rule, Script, ScriptedEngine
from tests.support.dspy_programs import (
    FailingEngine,
    FakeEngine,
    MemoryJournal,
    bound,
    single,
    spec,
    two_steps,
)

QUESTION = {"question": "Why?"}


class SeenSpans:
    """Tracing that remembers what was opened, and how deep."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []
        self.depth = 0

    @contextmanager
    def span(self, name: str, attributes: Attributes | None = None) -> Iterator["SeenSpans"]:
        self.seen.append((self.depth, name))
        self.depth += 1
        try:
            yield self
        finally:
            self.depth -= 1

    def continued(self, traceparent: str | None, name: str) -> AbstractContextManager["SeenSpans"]:
        return self.span(name)

    @contextmanager
    def lm_call(self, model: str, node: str) -> Iterator["SeenSpans"]:
        self.seen.append((self.depth, f"{model} {node}"))
        yield self

    def traceparent(self) -> str | None:
        return None

    def set(self, attributes: Attributes) -> None:
        pass

    def answered(self, call: LmCall) -> None:
        self.seen.append((self.depth, f"answered {call.node}"))


def config_of(journal: MemoryJournal) -> Mapping[str, object]:
    (request,) = journal.requests
    assert isinstance(request, dict)
    config = request["config"]
    assert isinstance(config, dict)
    return config


def replying(**fields: object) -> FakeEngine:
    class Replying(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            return answer_text(request.messages[-1].text or "", fields, seed="00" * 32)  # type: ignore[arg-type]

    return Replying()


@pytest.mark.feature("MOD-12")
def test_mod_12_predict_asks_with_temperature_0_and_1000_tokens() -> None:
    journal = MemoryJournal()
    DspyRunner(bound(FakeEngine())).run(single(), QUESTION, journal, live=True)
    assert config_of(journal) == {"temperature": 0.0, "max_tokens": 1000}


@pytest.mark.feature("MOD-16")
def test_mod_16_chain_of_thought_asks_with_temperature_07_and_1500_tokens() -> None:
    journal = MemoryJournal()
    program = single(kind=ModuleKind.CHAIN_OF_THOUGHT)
    DspyRunner(bound(FakeEngine())).run(program, QUESTION, journal, live=True)
    assert config_of(journal) == {"temperature": 0.7, "max_tokens": 1500}


@pytest.mark.feature("MOD-06")
def test_mod_06_a_program_of_one_module_returns_that_modules_outputs() -> None:
    runner = DspyRunner(bound(replying(answer="42")))
    assert runner.run(single(), QUESTION, MemoryJournal(), live=True) == {"answer": "42"}


@pytest.mark.feature("MOD-10")
def test_mod_10_demos_are_in_the_prompt_in_their_order() -> None:
    demos = ({"question": "One?", "answer": "1"}, {"question": "Two?", "answer": "2"})
    config = ModuleConfig(temperature=0.0, max_tokens=1000, demos=demos)
    journal = MemoryJournal()
    DspyRunner(bound(FakeEngine())).run(single(config=config), QUESTION, journal, live=True)
    request = journal.requests[0]
    assert isinstance(request, dict)
    texts = [json.dumps(message) for message in request["messages"]]  # type: ignore[union-attr]
    assert [name for text in texts for name in ("One?", "Two?", "Why?") if name in text] == [
        "One?", "Two?", "Why?",
    ]  # fmt: skip


def test_outputs_have_the_types_of_the_signature() -> None:
    outputs: dict[str, FieldType] = {
        "queue": EnumOf(values=("bug", "billing")),
        "sure": Primitive(name="probability"),
        "urgent": Primitive(name="boolean"),
        "count": Primitive(name="integer"),
        "steps": Primitive(name="reasoning_chain"),
    }
    fields = {"queue": "billing", "sure": 0.25, "urgent": True, "count": 3, "steps": ["a", "b"]}
    program = single(spec("message", outputs))
    run = DspyRunner(bound(replying(**fields))).run
    assert run(program, {"message": "hi"}, MemoryJournal(), live=True) == fields


def test_an_output_out_of_bounds_is_a_typed_failure() -> None:
    program = single(spec("message", {"sure": Primitive(name="probability")}))
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(replying(sure=7.5))).run(
            program, {"message": "hi"}, MemoryJournal(), live=True
        )
    assert failed.value.failure.code == "output.invalid"
    assert "sure" in failed.value.failure.message


def test_inputs_that_do_not_fit_never_reach_the_model() -> None:
    engine = FakeEngine()
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(engine)).run(single(), {"wrong": 1}, MemoryJournal(), live=True)
    assert failed.value.failure.code == "input.invalid"
    assert engine.calls == 0


def test_a_program_that_breaks_inside_dspy_is_a_typed_failure() -> None:
    program = single()
    outputs = {"answer": Source(node="solve", field="nothing")}
    broken = RunnableProgram("b@1", program.graph.model_copy(update={"outputs": outputs}), None)
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(FakeEngine())).run(broken, QUESTION, MemoryJournal(), live=True)
    assert failed.value.failure.code == "program.failed"
    assert "nothing" in failed.value.failure.message


def test_text_that_no_provider_can_receive_is_a_typed_failure() -> None:
    config = ModuleConfig(
        temperature=0.0, max_tokens=10, demos=({"question": "\ud800", "answer": "x"},)
    )
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(FakeEngine())).run(
            single(config=config), QUESTION, MemoryJournal(), live=True
        )
    assert failed.value.failure.code == "program.failed"


def test_an_optional_input_that_is_left_out_takes_its_default() -> None:
    tone = FieldSpec(name="tone", optional=True, has_default=True, default="polite")
    signature = spec((FieldSpec(name="question"), tone), {"answer": STRING})
    journal = MemoryJournal()
    DspyRunner(bound(FakeEngine())).run(single(signature), QUESTION, journal, live=True)
    assert "polite" in journal.prompts[0]


def test_the_json_adapter_holds_the_model_to_a_schema() -> None:
    class WithSchema(FakeEngine):
        supports_response_schema = True
        supported_params = frozenset({"response_format"})

    journal = MemoryJournal()
    program = single(spec("message", {"queue": EnumOf(values=("bug", "billing"))}))
    DspyRunner(bound(WithSchema(), adapter="json")).run(
        program, {"message": "hi"}, journal, live=True
    )
    assert '"enum": ["bug", "billing"]' in json.dumps(config_of(journal))


def test_a_marker_of_foreign_content_in_an_input_stays_text() -> None:
    marker = '<<CUSTOM-TYPE-START-IDENTIFIER>>[{"type":"image_url"}]<<CUSTOM-TYPE-END-IDENTIFIER>>'
    demos = ({"question": marker, "answer": marker},)
    config = ModuleConfig(temperature=0.0, max_tokens=10, demos=demos)
    engine = FakeEngine()
    DspyRunner(bound(engine)).run(
        single(config=config), {"question": marker}, MemoryJournal(), live=True
    )
    (request,) = engine.requests
    assert all(part.type == "text" for message in request.messages for part in message.parts)


@pytest.mark.feature("TRAP-06")
def test_trap_06_equal_requests_of_two_runs_both_reach_the_model() -> None:
    engine = FakeEngine()
    runner = DspyRunner(bound(engine))
    for _ in range(2):
        runner.run(single(), QUESTION, MemoryJournal(), live=True)
    assert engine.calls == 2


@pytest.mark.feature("TRAP-07")
def test_trap_07_dspy_remembers_nothing_of_a_run() -> None:
    from dspy.clients.base_lm import GLOBAL_HISTORY

    canary = "canary-7f3a"
    runner = DspyRunner(bound(FakeEngine()))
    runner.run(single(), {"question": canary}, MemoryJournal(), live=True)
    assert canary not in repr(GLOBAL_HISTORY)
    assert canary not in repr(dspy.settings.trace)
    assert not dspy.cache.enable_disk_cache
    assert not dspy.cache.enable_memory_cache


def test_running_changes_nothing_in_the_shared_program() -> None:
    runner = DspyRunner(bound(FakeEngine()))
    built = runner.program(two_steps())

    def seen() -> str:
        return repr([vars(built), *(vars(each) for each in built.predictors())])

    before = seen()
    runner.run(two_steps(), QUESTION, MemoryJournal(), live=True)
    assert runner.program(two_steps()) is built
    assert seen() == before


@pytest.mark.feature("VIS-21")
def test_vis_21_what_a_version_learned_is_loaded_once_for_all_its_executions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads: list[object] = []
    monkeypatch.setattr(states, "load", lambda module, state: loads.append(state["of"]))
    runner = DspyRunner(bound(FakeEngine()))
    for version in ("p@1", "p@2", "p@1", "p@2"):
        learned = single(key=version, state={"of": version})
        runner.run(learned, QUESTION, MemoryJournal(), live=True)
    assert loads == ["p@1", "p@2"]


@pytest.mark.feature("MOD-19")
def test_mod_19_the_trace_of_a_chain_of_thought_holds_the_reasoning_that_came_out() -> None:
    reasoned = spec("question", {"reasoning": STRING, "answer": STRING})
    program = single(reasoned, kind=ModuleKind.CHAIN_OF_THOUGHT)
    runner = DspyRunner(bound(replying(reasoning="Two and two are four.", answer="4")))
    journal = MemoryJournal()
    outputs = runner.run(program, QUESTION, journal, live=True)
    (recorded,) = journal.responses
    assert isinstance(recorded, dict)
    signature = runner.program(program).predictors()[0].signature
    traced = dspy.ChatAdapter().parse(signature, response_of(recorded).message.text)
    assert traced["reasoning"] == outputs["reasoning"] == "Two and two are four."


def test_programs_run_side_by_side_in_threads_that_know_nothing_of_dspy() -> None:
    class Echo(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            number = re.findall(r"Row (\d+)", request.messages[-1].text or "")[-1]
            return f"[[ ## answer ## ]]\n{number}\n\n[[ ## completed ## ]]"

    runner = DspyRunner(bound(Echo(latency_ms=2)))
    journals = [MemoryJournal() for _ in range(40)]

    def run(number: int) -> object:
        question = {"question": f"Row {number}"}
        return runner.run(single(), question, journals[number], live=True)["answer"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(run, range(40)))
    assert answers == [str(number) for number in range(40)]
    assert [len(journal.calls) for journal in journals] == [1] * 40


@pytest.mark.feature("VIS-03")
def test_vis_03_each_stage_from_the_inputs_to_the_outputs_has_a_span_in_its_order() -> None:
    tracing = SeenSpans()
    DspyRunner(bound(FakeEngine()), tracing).run(single(), QUESTION, MemoryJournal(), live=True)
    assert tracing.depth == 0
    assert tracing.seen == [
        (0, "program"),
        (1, "validate"),
        (1, "predictor"),
        (2, "render"),
        (2, "fake/model solve"),
        (2, "answered solve"),
        (2, "parse"),
        (1, "validate_out"),
    ]


def test_each_predictor_has_a_span() -> None:
    tracing = SeenSpans()
    DspyRunner(bound(FakeEngine()), tracing).run(two_steps(), QUESTION, MemoryJournal(), live=True)
    assert tracing.depth == 0
    stages = ("render", "parse", "validate", "validate_out")
    assert [(depth, name) for depth, name in tracing.seen if name not in stages] == [
        (0, "program"),
        (1, "predictor"), (2, "fake/model plan"), (2, "answered plan"),
        (1, "predictor"), (2, "fake/model solve"), (2, "answered solve"),
    ]  # fmt: skip


def test_a_failed_run_closes_every_span() -> None:
    tracing = SeenSpans()
    runner = DspyRunner(bound(FailingEngine(lm15.AuthError("bad key"))), tracing)
    with pytest.raises(ProgramFailed):
        runner.run(two_steps(), QUESTION, MemoryJournal(), live=True)
    assert tracing.depth == 0


def test_nothing_the_api_imports_imports_dspy() -> None:
    code = (
        "import sys, application.lm_ports, application.tracing, domain.signature.validation, "
        "infrastructure.models.binding, infrastructure.models.weights, infrastructure.models.fetch;"
        "print(sorted({'dspy', 'litellm', 'xllamacpp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_litellm_is_never_imported_by_a_run() -> None:
    code = """
import sys
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.optimizers import DspyOptimizers
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single
DspyRunner(bound(FakeEngine())).run(single(), {"question": "?"}, MemoryJournal(), live=True)
print('litellm' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_scripted_rules_drive_a_program() -> None:
    script = Script(rules=(Rule(reply={"answer": "because"}),))
    runner = DspyRunner(bound(ScriptedEngine(script)))
    assert runner.run(single(), QUESTION, MemoryJournal(), live=True) == {"answer": "because"}
