"""Which model answers a run: the call's, the program's, the tenant's default, or the workers'."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue, ValidationError

from application.commands import Command, CommandBus
from application.context import within
from application.lm_ports import ModelChoice, ProgramFailed
from application.models import MADE_UP, ProviderModels, RunToRoute, billed_as
from application.programs import CreateProgram
from application.providers import (
    ChooseDefaultProvider,
    DisableProvider,
    ProviderHandlers,
    RegisterProvider,
    RotateProviderKey,
)
from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.allowance import ProviderAllowance
from domain.provider.errors import ModelIsNotOffered, ProviderIsDisabled, ProviderIsUnknown
from domain.tool.allowance import Allowance, Reach
from tests.support.memory import FixedClock, MemoryLog, MemoryNames, MemoryRepository
from tests.support.providers import ALLOWED
from tests.support.run_world import CONTEXT

NOWHERE: Final = ProviderAllowance(Allowance())
GPT = {"name": "gpt", "kind": "openai", "secret": "env:OPENAI_API_KEY"}
TWO = {**GPT, "models": [{"name": "gpt-4o"}, {"name": "org/o3"}]}


@dataclass
class Scene:
    """Providers and who chooses; ``now_s`` is the time, and ``keys`` are in the environment."""

    now_s: float = 0.0
    allowance: ProviderAllowance = ALLOWED
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.keys = {"OPENAI_API_KEY": "sk-1", "OTHER_KEY": "sk-2", "INTERNAL_KEY": ""}
        self.models, self.elsewhere = self._models(), self._models()
        handlers = ProviderHandlers(*self._repositories(), ALLOWED, FixedClock(), self.models)
        self.bus = CommandBus(handlers)

    def do(self, command: Command) -> UUID:
        return self.bus.dispatch(command, CONTEXT).id

    def registered(self, **body: Any) -> UUID:
        return self.do(RegisterProvider.model_validate({"provider_id": uuid4(), **body}))

    def resolved(
        self, asked: str | None = None, config: Mapping[str, JsonValue] | None = None
    ) -> str | None:
        with within(CONTEXT):
            return self.models.resolved(asked, config or {})

    def chosen(self, model: str | None, *, live: bool = True) -> ModelChoice | None:
        with within(CONTEXT):
            return self.models.chosen(model, live=live)

    def refused(self, model: str) -> str:
        with pytest.raises(ProgramFailed) as failed:
            self.chosen(model)
        assert not failed.value.failure.retryable
        return failed.value.failure.code

    def _repositories(self) -> tuple[Any, Any]:
        return MemoryRepository(Provider, self.log), MemoryRepository(DefaultProvider, self.log)

    def _models(self) -> ProviderModels:
        return ProviderModels(
            *self._repositories(),
            MemoryNames(self.log),
            self.allowance,
            key_in=self.keys.get,
            monotonic=lambda: self.now_s,
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_call_goes_before_the_program_and_the_program_before_the_default(
    scene: Scene,
) -> None:
    assert scene.resolved() is None, "where nothing was chosen the model of the workers answers"
    default = scene.registered(name="usual", kind="local")
    scene.do(ChooseDefaultProvider(provider_id=default))
    scene.registered(**TWO)
    assert scene.resolved() == "usual/smollm2"
    assert scene.resolved(None, {"lm": "gpt"}) == "gpt/gpt-4o"
    assert scene.resolved("gpt/org/o3", {"lm": "gpt"}) == "gpt/org/o3"
    scene.do(ChooseDefaultProvider(provider_id=None))
    assert scene.resolved() is None
    assert scene.models.routed("route:any", RunToRoute(uuid4(), 0, dict)) is None


@pytest.mark.feature("LMP-05")
def test_lmp_05_what_is_not_there_or_disabled_is_refused(scene: Scene) -> None:
    made = scene.registered(**GPT)
    scene.do(ChooseDefaultProvider(provider_id=made))
    with pytest.raises(ProviderIsUnknown, match="register it"):
        scene.resolved("other/gpt-4")
    with pytest.raises(ModelIsNotOffered):
        scene.resolved("gpt/gpt-5")
    scene.do(DisableProvider(provider_id=made))
    for asked in (None, "gpt"):
        with pytest.raises(ProviderIsDisabled):
            scene.resolved(asked)
    assert scene.refused("gpt/gpt-4") == "provider.disabled"


@pytest.mark.parametrize("told", ["", 7, None, ["gpt"], "x" * 401])
def test_a_program_names_a_model_by_a_text(told: JsonValue) -> None:
    body: dict[str, Any] = {"program_id": uuid4(), "name": "p", "signature_syntax": "a -> b"}
    with pytest.raises(ValidationError, match="provider/model"):
        CreateProgram.model_validate({**body, "config": {"lm": told}})


@pytest.mark.parametrize(
    ("body", "choice"),
    [
        (GPT, ModelChoice("openai/gpt-4", None, "sk-1", Reach.PUBLIC)),
        ({"kind": "local"}, ModelChoice("local:smollm2", None, None, Reach.PUBLIC)),
        ({"kind": "scripted"}, ModelChoice(MADE_UP, None, None, Reach.PUBLIC)),
        (
            {
                "kind": "litellm",
                "base_url": "http://models.internal:8080/v1",
                "models": [{"name": "m"}],
            },
            ModelChoice("openai/m", "http://models.internal:8080/v1", "none", Reach.ANYWHERE),
        ),
    ],
)
def test_each_kind_is_asked_over_its_interface(
    scene: Scene, body: dict[str, Any], choice: ModelChoice
) -> None:
    scene.registered(**{**body, "name": "mine"})
    resolved = scene.resolved("mine")
    assert scene.chosen(resolved) == choice
    assert "sk-1" not in repr(scene.chosen(resolved))
    assert scene.chosen(None) is None


def test_kinds_with_another_address_or_interface_are_asked_there() -> None:
    keys = {"K": "api.anthropic.com", "C": "api.cohere.ai"}
    scene = Scene(allowance=ProviderAllowance(Allowance(secrets=keys)))
    scene.bus = CommandBus(
        ProviderHandlers(*scene._repositories(), scene.allowance, FixedClock(), scene.models)
    )
    scene.keys |= {"K": "sk-k", "C": "sk-c"}
    for kind, secret in (("anthropic", "env:K"), ("cohere", "env:C")):
        scene.registered(name=kind, kind=kind, secret=secret, models=[{"name": "m"}])
    assert scene.chosen("anthropic/m") == ModelChoice("anthropic/m", None, "sk-k", Reach.PUBLIC)
    assert scene.chosen("cohere/m") == ModelChoice(
        "openai/m", "https://api.cohere.ai/compatibility/v1", "sk-c", Reach.PUBLIC
    )


def test_what_this_worker_does_not_have_or_may_not_do_is_a_failure(scene: Scene) -> None:
    scene.registered(**GPT)
    internal = {"kind": "litellm", "base_url": "http://models.internal:8080/v1"}
    scene.registered(name="here", **internal, secret="env:INTERNAL_KEY", models=[{"name": "m"}])
    assert scene.refused("here/m") == "provider.key_missing"
    scene.models = Scene(allowance=NOWHERE, log=scene.log).models
    assert scene.refused("here/m") == "provider.not_allowed"
    assert scene.refused("gpt/gpt-4") == "provider.not_allowed"


def test_a_replay_needs_no_key_and_no_leave(scene: Scene) -> None:
    made = scene.registered(**GPT)
    scene.do(DisableProvider(provider_id=made))
    scene.models = Scene(allowance=NOWHERE, log=scene.log).models
    assert scene.chosen("gpt/gpt-4", live=False) == ModelChoice(
        "openai/gpt-4", None, "none", Reach.PUBLIC
    )


def test_another_key_is_used_at_once_here_and_within_a_second_elsewhere(scene: Scene) -> None:
    made = scene.registered(**GPT)

    def keys() -> list[str | None]:
        with within(CONTEXT):
            found = [models.chosen("gpt/gpt-4") for models in (scene.models, scene.elsewhere)]
        return [each and each.api_key for each in found]

    assert keys() == ["sk-1", "sk-1"]
    scene.do(RotateProviderKey(provider_id=made, secret="env:OTHER_KEY"))
    assert keys() == ["sk-2", "sk-1"]
    scene.now_s = 1.0
    assert keys() == ["sk-2", "sk-2"]


@pytest.mark.parametrize(
    ("name", "billed"),
    [
        (MADE_UP, "scripted/made-up"),
        ("local:smollm2", "local/smollm2"),
        ("openai/gpt-4", "openai/gpt-4"),
    ],
)
def test_calls_are_priced_under_the_name_that_they_are_on_record_with(
    name: str, billed: str
) -> None:
    assert billed_as(ModelChoice(name, None, None, None)) == billed
