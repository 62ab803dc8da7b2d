"""Providers are registered where models may be asked; one of them is the default at most."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.commands import Command, CommandBus
from application.context import within
from application.errors import AggregateNotFound, ConcurrentWrite, NameIsTaken
from application.ports import Receipt
from application.providers import (
    ChangeProvider,
    ChooseDefaultProvider,
    DisableProvider,
    EnableProvider,
    ProviderHandlers,
    RegisterProvider,
    RotateProviderKey,
)
from domain.errors import StaleVersion
from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.errors import ProviderIsDisabled, ProviderIsNotAllowed
from tests.support.memory import FixedClock, MemoryLog, MemoryRepository
from tests.support.providers import ALLOWED, GPT_4
from tests.support.run_world import CONTEXT


class Contended(MemoryRepository[DefaultProvider]):
    """Somebody else chooses before each of the first *times* that something is saved."""

    times = 0

    def save(self, aggregate: DefaultProvider, **more: Any) -> Receipt:
        if self.times > 0:
            self.times -= 1
            other = MemoryRepository(DefaultProvider, self.log)
            theirs = DefaultProvider.fold(
                aggregate.id, (each.event for each in self.log.stream(aggregate.id))
            )
            theirs.choose(uuid4(), at=FixedClock().now())
            other.save(theirs)
        return super().save(aggregate, **more)


@dataclass
class Scene:
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.providers = MemoryRepository(Provider, self.log)
        self.defaults = Contended(DefaultProvider, self.log)
        self.bus = CommandBus(
            ProviderHandlers(self.providers, self.defaults, ALLOWED, FixedClock())
        )

    def do(self, command: Command) -> Receipt:
        return self.bus.dispatch(command, CONTEXT)

    def registered(self, **more: Any) -> UUID:
        body = {"provider_id": uuid4(), "name": "mine", "kind": "openai", **more}
        body.setdefault("secret", "env:OPENAI_API_KEY")
        return self.do(RegisterProvider.model_validate(body)).id

    def of(self, id: UUID) -> Provider:
        with within(CONTEXT):
            return self.providers.get(id)

    @property
    def default(self) -> UUID | None:
        with within(CONTEXT):
            return self.defaults.get(DefaultProvider.id_of(CONTEXT.tenant)).provider_id


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_name_is_of_one_provider(scene: Scene) -> None:
    scene.registered()
    with pytest.raises(NameIsTaken):
        scene.registered()


def test_a_provider_is_changed_rotated_disabled_and_enabled(scene: Scene) -> None:
    made = scene.registered()
    scene.do(ChangeProvider(provider_id=made, models=(GPT_4,), expected_version=1))
    scene.do(RotateProviderKey(provider_id=made, secret="env:OTHER_KEY"))
    assert scene.of(made).secret == "env:OTHER_KEY"
    scene.do(DisableProvider(provider_id=made, reason="It leaks."))
    assert scene.of(made).is_disabled
    scene.do(EnableProvider(provider_id=made))
    assert not scene.of(made).is_disabled
    with pytest.raises(StaleVersion):
        scene.do(DisableProvider(provider_id=made, expected_version=1))


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "http://169.254.169.254/latest"},
        {"secret": "env:DATABASE_PASSWORD"},
        {"base_url": "https://models.example.com/v1"},
        {"kind": "anthropic", "models": [{"name": "claude"}]},
    ],
)
def test_no_key_goes_where_it_is_not_for(scene: Scene, change: dict[str, Any]) -> None:
    with pytest.raises(ProviderIsNotAllowed):
        scene.registered(**change)


def test_a_key_does_not_follow_to_another_address_and_none_of_elsewhere_is_taken(
    scene: Scene,
) -> None:
    made = scene.registered()
    with pytest.raises(ProviderIsNotAllowed, match="STRATAL_PROVIDER_KEYS"):
        scene.do(ChangeProvider(provider_id=made, base_url="https://models.example.com/v1"))
    with pytest.raises(ProviderIsNotAllowed, match="STRATAL_PROVIDER_KEYS"):
        scene.do(RotateProviderKey(provider_id=made, secret="env:INTERNAL_KEY"))
    assert scene.of(made).version == 1


@pytest.mark.feature("LMP-04")
def test_lmp_04_the_last_choice_is_the_default(scene: Scene) -> None:
    one, other = scene.registered(), scene.registered(name="other")
    for provider in (one, other, None, one):
        scene.do(ChooseDefaultProvider(provider_id=provider))
        assert scene.default == provider
    with pytest.raises(AggregateNotFound):
        scene.do(ChooseDefaultProvider(provider_id=uuid4()))
    scene.do(DisableProvider(provider_id=other))
    with pytest.raises(ProviderIsDisabled):
        scene.do(ChooseDefaultProvider(provider_id=other))


@pytest.mark.feature("LMP-04")
def test_lmp_04_who_was_second_chooses_again_and_there_is_one_default(scene: Scene) -> None:
    one = scene.registered()
    scene.defaults.times = 3
    scene.do(ChooseDefaultProvider(provider_id=one))
    assert scene.default == one
    scene.defaults.times = 10
    with pytest.raises(ConcurrentWrite):
        scene.do(ChooseDefaultProvider(provider_id=None))
