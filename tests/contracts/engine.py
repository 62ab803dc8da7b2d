"""What every engine keeps to, whatever it is made of: all six words, and failures with a type."""

from collections.abc import Iterator

import pytest

from application.lm_ports import (
    Engine,
    JsonObject,
    ModelChoice,
    NotCarried,
    OptimizerJob,
    ProgramFailed,
    RunStopped,
)
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import PRIMITIVES
from tests.support.dspy_programs import MemoryJournal, single
from tests.support.scripted_lm import Script, ScriptedLmServer

ANSWER: JsonObject = {"answer": "A tower."}
QUESTION: JsonObject = {"question": "What is in Paris?"}


class EngineContract:
    """Subclass it with an ``engine`` of the class that is configured with ``choice``."""

    asks_a_model = True
    optimizes = True

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[ScriptedLmServer]:
        with ScriptedLmServer() as lm:
            lm.script = Script(replies=[("", dict(ANSWER))])
            yield lm

    @pytest.fixture
    def lm(self, server: ScriptedLmServer) -> ScriptedLmServer:
        server.calls = 0
        return server

    @pytest.fixture(scope="class")
    @classmethod
    def choice(cls, server: ScriptedLmServer) -> ModelChoice:
        return ModelChoice("openai/gpt-4o-mini", api_base=server.url, api_key="sk-of-a-test")

    @pytest.mark.feature("BRG-05")
    @pytest.mark.feature("BRG-12")
    def test_brg_05_all_six_words(
        self, engine: Engine, choice: ModelChoice, lm: ScriptedLmServer
    ) -> None:
        program, journal = single(), MemoryJournal()
        [node] = program.graph.nodes
        assert node.kind == "module"
        engine.configure(choice)
        engine.create_module(node.module)
        engine.create_program(program)
        assert engine.execute(program, QUESTION, journal, live=True) == ANSWER
        answers = engine.forward(program, [QUESTION, {"question": 7}], journal)
        assert [each.outputs for each in answers] == [ANSWER, None]
        assert answers[1].failure is not None
        assert answers[1].failure.code == "input.invalid"
        assert lm.calls == (1 if self.asks_a_model else 0)
        trials: list[tuple[int, float]] = []

        def on_trial(number: int, score: float, state: JsonObject) -> None:
            trials.append((number, score))

        rows = [{**QUESTION, **ANSWER}] * 2
        config: JsonObject = {"k": 2}
        job = OptimizerJob(program, "labeled_fewshot", config, "exact_match", 0, rows)
        if not self.optimizes:
            with pytest.raises(NotCarried, match="the optimizer labeled_fewshot"):
                engine.optimize(
                    job, journal, lambda number, score, _: trials.append((number, score))
                )
            return
        found = engine.optimize(
            job, journal, lambda number, score, _: trials.append((number, score))
        )
        assert trials == [(1, 1.0)]
        assert found.training_score == 1.0
        assert engine.pins(7)["seed"] == "7"

    def test_what_is_on_record_is_not_asked_again(
        self, engine: Engine, lm: ScriptedLmServer
    ) -> None:
        journal = MemoryJournal()
        outputs = engine.execute(single(), QUESTION, journal, live=True)
        asked = lm.calls
        assert engine.execute(single(), QUESTION, journal, live=False) == outputs
        assert lm.calls == asked == len(journal.calls)

    def test_inputs_that_do_not_fit_fail_with_a_type(self, engine: Engine) -> None:
        with pytest.raises(ProgramFailed) as failed:
            engine.execute(single(), {}, MemoryJournal(), live=True)
        assert failed.value.failure.code == "input.invalid"

    def test_a_journal_that_refuses_stops_the_run(self, engine: Engine) -> None:
        if not self.asks_a_model:
            return
        with pytest.raises(RunStopped) as stopped:
            engine.execute(single(), QUESTION, MemoryJournal(stop_after=0), live=True)
        assert stopped.value.failure.code == "run.cancelled"

    def test_a_module_of_any_kind_is_made_or_refused_by_name(self, engine: Engine) -> None:
        signature = SignatureSpec(
            inputs=(FieldSpec(name="query"),),
            outputs=(FieldSpec(name="shown", type=PRIMITIVES["image"]),),
        )
        for kind in (ModuleKind.PREDICT, ModuleKind.PROGRAM_OF_THOUGHT):
            module = ModuleSpec(kind=kind, signature=signature, config=DEFAULTS[kind])
            try:
                engine.create_module(module)
            except NotCarried as refused:
                assert refused.failure.code == "engine.not_carried"  # noqa: PT017 - both are right
