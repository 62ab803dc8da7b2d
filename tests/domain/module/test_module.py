"""The life of a module, and what its kind makes of a signature."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.module.aggregate import FrozenFrom, Module
from domain.module.errors import InvalidModule, ModuleIsRetired
from domain.module.events import ModuleConfigured, ModuleCreated, ModuleRetired
from domain.module.parameters import Custom
from domain.module.rules import MAX_DEMOS, effective_signature
from domain.module.values import DEFAULTS, ModuleConfig, ModuleKind, ModuleSpec
from domain.signature.syntax import parse
from tests.support.scenario import ID, NOW, Scenario, told

FROZEN_FROM = FrozenFrom(ID, 3)


def spec_of(kind: ModuleKind, text: str, **config: Any) -> ModuleSpec:
    chosen = DEFAULTS[kind].model_copy(update=config)
    return ModuleSpec(kind=kind, signature=parse(text), config=chosen)


PREDICT = spec_of(ModuleKind.PREDICT, "question -> answer")
CREATED = ModuleCreated(name="qa", spec=PREDICT, signature_id=ID, signature_revision=3)
WARM = ModuleConfig(temperature=1.0, max_tokens=10)
CONFIGURED = ModuleConfigured(config=WARM)
RETIRED = ModuleRetired(reason="superseded")


@pytest.fixture
def module() -> Iterator[Scenario[Module]]:
    yield from told(Module)


@pytest.mark.feature("MOD-01")
def test_mod_01_a_module_is_created_with_its_frozen_signature(module: Scenario[Module]) -> None:
    created = module.when_begun(
        lambda new: Module.create(new, "qa", PREDICT, frozen_from=FROZEN_FROM, at=NOW)
    ).then(CREATED)
    assert (created.name, created.spec, created.frozen_from) == ("qa", PREDICT, FROZEN_FROM)


def test_a_module_of_ones_own_is_not_for_the_shelf(module: Scenario[Module]) -> None:
    custom = Custom(probe_id=ID, import_path="a:B", source_sha256="0" * 64, predictors=())
    spec = ModuleSpec(
        kind=ModuleKind.CUSTOM,
        signature=parse("question -> answer"),
        config=WARM,
        parameters=custom,
    )
    refused = module.when_begun(
        lambda new: Module.create(new, "rag", spec, frozen_from=FROZEN_FROM, at=NOW)
    ).then_refused(InvalidModule)
    assert [fault.code for fault in refused.faults] == ["module.not_for_the_shelf"]


@pytest.mark.feature("MOD-01")
def test_mod_01_new_settings_are_recorded_once(module: Scenario[Module]) -> None:
    configured = module.given(CREATED).when(lambda it: it.configure(WARM, at=NOW)).then(CONFIGURED)
    assert configured.spec == PREDICT.model_copy(update={"config": WARM})


def test_equal_settings_change_nothing(module: Scenario[Module]) -> None:
    module.given(CREATED, CONFIGURED).when(lambda it: it.configure(WARM, at=NOW)).then()


def test_a_module_is_retired_once(module: Scenario[Module]) -> None:
    module.given(CREATED).when(lambda it: it.retire("superseded", at=NOW)).then(RETIRED)


def test_retiring_twice_changes_nothing(module: Scenario[Module]) -> None:
    module.given(CREATED, RETIRED).when(lambda it: it.retire("again", at=NOW)).then()


def test_a_retired_module_is_not_configured(module: Scenario[Module]) -> None:
    module.given(CREATED, RETIRED).when(lambda it: it.configure(WARM, at=NOW)).then_refused(
        ModuleIsRetired
    )


@pytest.mark.parametrize(
    ("demos", "faults"),
    [
        (({"question": "q", "answr": "a"},), [("/config/demos/0/answr", "demo.unknown_field")]),
        (({"question": "\x00"},), [("/config/demos/0/question", "text.unsafe")]),
        (({},) * (MAX_DEMOS + 1), [("/config/demos", "demos.too_many")]),
    ],
)
def test_demos_that_do_not_fit_are_refused(
    module: Scenario[Module], demos: tuple[dict[str, Any], ...], faults: list[tuple[str, str]]
) -> None:
    config = WARM.model_copy(update={"demos": demos})
    refusal = (
        module.given(CREATED)
        .when(lambda it: it.configure(config, at=NOW))
        .then_refused(InvalidModule)
    )
    assert [(fault.pointer, fault.code) for fault in refusal.faults] == faults


def test_chain_of_thought_refuses_an_input_called_reasoning(module: Scenario[Module]) -> None:
    spec = spec_of(ModuleKind.CHAIN_OF_THOUGHT, "reasoning -> answer")
    refusal = module.when_begun(
        lambda new: Module.create(new, "qa", spec, frozen_from=FROZEN_FROM, at=NOW)
    ).then_refused(InvalidModule)
    assert [(fault.pointer, fault.code) for fault in refusal.faults] == [("/kind", "name.reserved")]


def test_predict_takes_an_input_called_reasoning(module: Scenario[Module]) -> None:
    spec = spec_of(ModuleKind.PREDICT, "reasoning -> answer")
    module.when_begun(
        lambda new: Module.create(new, "qa", spec, frozen_from=FROZEN_FROM, at=NOW)
    ).then(CREATED.model_copy(update={"spec": spec}))


@pytest.mark.feature("MOD-12")
def test_mod_12_the_defaults_of_predict() -> None:
    assert DEFAULTS[ModuleKind.PREDICT] == ModuleConfig(temperature=0.0, max_tokens=1000, demos=())


@pytest.mark.feature("MOD-16")
def test_mod_16_the_defaults_of_chain_of_thought() -> None:
    defaults = DEFAULTS[ModuleKind.CHAIN_OF_THOUGHT]
    assert defaults == ModuleConfig(temperature=0.7, max_tokens=1500, demos=())


@pytest.mark.feature("MOD-17")
@pytest.mark.parametrize(
    ("kind", "text", "outputs"),
    [
        (ModuleKind.CHAIN_OF_THOUGHT, "question -> answer, why", ["reasoning", "answer", "why"]),
        (ModuleKind.CHAIN_OF_THOUGHT, "q -> reasoning: reasoning_chain, a", ["reasoning", "a"]),
        (ModuleKind.CHAIN_OF_THOUGHT, "q -> a, reasoning", ["a", "reasoning"]),
        (ModuleKind.PREDICT, "question -> answer", ["answer"]),
    ],
)
def test_mod_17_reasoning_comes_before_the_other_outputs_and_once(
    kind: ModuleKind, text: str, outputs: list[str]
) -> None:
    spec = spec_of(kind, text)
    signature = effective_signature(spec)
    assert [field.name for field in signature.outputs] == outputs
    assert signature.inputs == spec.signature.inputs
    assert set(spec.signature.outputs) <= set(signature.outputs)
