"""What every kind of provider promises of a generation. A subclass gives ``asking``."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest

from application.lm_ports import JsonObject, ModelChoice, RunnableProgram
from application.tokens import tokens_of
from domain.module.generation import GENERATE
from domain.program.graph import single
from domain.program.rules import check
from infrastructure.dspy_runtime.engine import DspyEngine
from tests.support.dspy_programs import MemoryJournal

PROGRAM = RunnableProgram("generate@1", check(single(GENERATE)), None)
ASKED: JsonObject = {
    "prompt": "Say [[ ## hi ## ]].", "system": "Be brief.", "temperature": 0.5, "max_tokens": 7,
}  # fmt: skip


@dataclass
class Asking:
    """An engine on a provider's model; ``bodies`` is what reached its stub, if it has one."""

    engine: DspyEngine
    model: ModelChoice
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def ask(self, journal: MemoryJournal, *, live: bool = True, **inputs: Any) -> str:
        program = replace(PROGRAM, model=self.model)
        answer = self.engine.execute(program, {**ASKED, **inputs}, journal, live=live)
        text = answer["text"]
        assert isinstance(text, str)
        return text


class GenerationContract:
    COUNTS: ClassVar[bool] = True
    """Whether the provider tells how many tokens a call took."""

    @pytest.fixture
    def asking(self) -> Asking:
        raise NotImplementedError

    @pytest.mark.feature("LMP-02")
    @pytest.mark.feature("LMP-07")
    def test_lmp_07_it_generates_and_the_call_is_on_record(self, asking: Asking) -> None:
        journal = MemoryJournal()
        text = asking.ask(journal)
        (call,) = journal.calls
        assert text
        assert (call.node, call.attempts, call.failure) == ("generate", 1, None)
        assert asking.ask(journal, live=False) == text, "a replay asks nobody"
        assert len(journal.calls) == 1

    @pytest.mark.feature("LMP-07")
    def test_lmp_07_the_prompt_and_what_goes_with_it_arrive_as_they_stand(
        self, asking: Asking
    ) -> None:
        asking.ask(MemoryJournal())
        for body in asking.bodies:
            assert "Say [[ ## hi ## ]]." in repr(body["messages"])
            assert "Be brief." in repr(body)
            assert body["temperature"] == 0.5
            assert 7 in {body.get("max_tokens"), body.get("max_completion_tokens")}

    @pytest.mark.feature("LMP-08")
    def test_lmp_08_many_prompts_are_answered_each_by_itself(self, asking: Asking) -> None:
        journal = MemoryJournal()
        texts = [asking.ask(journal, prompt=f"Say {number}.") for number in range(3)]
        assert len({call.key for call in journal.calls}) == 3
        assert all(texts)

    @pytest.mark.feature("LMP-09")
    def test_lmp_09_tokens_are_those_of_the_provider_or_said_to_be_estimated(
        self, asking: Asking
    ) -> None:
        journal = MemoryJournal()
        text = asking.ask(journal)
        (call,) = journal.calls
        counted = tokens_of(text, call.usage.completion_tokens)
        assert counted.is_estimated is not self.COUNTS
        assert counted.number == (call.usage.completion_tokens or -(-len(text) // 4))
