"""The life of a provider of language models, and of the tenant's choice of one."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.allowance import ProviderAllowance
from domain.provider.errors import (
    InvalidProvider,
    ModelIsNotOffered,
    ProviderIsDisabled,
    ProviderIsNotAllowed,
)
from domain.provider.events import (
    DefaultProviderChosen,
    DefaultProviderCleared,
    ProviderChanged,
    ProviderDisabled,
    ProviderEnabled,
    ProviderKeyRotated,
    ProviderRegistered,
)
from domain.provider.values import OfferedModel, ProviderKind
from domain.tool.allowance import Reach
from tests.support.providers import ALLOWED, GPT_4, REGISTERED, WARM
from tests.support.scenario import NOW, Scenario, told

KEY = "env:OPENAI_API_KEY"
ELSEWHERE = "https://models.example.com/v1"
ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def provider() -> Iterator[Scenario[Provider]]:
    yield from told(Provider)


@pytest.fixture
def default() -> Iterator[Scenario[DefaultProvider]]:
    yield from told(DefaultProvider)


def registered(new: UUID, kind: ProviderKind = ProviderKind.OPENAI, **more: Any) -> Provider:
    options: dict[str, Any] = {"base_url": None, "secret": None, "models": (), **more}
    return Provider.register(new, "mine", kind, at=NOW, **options)


@pytest.mark.feature("LMP-10")
def test_lmp_10_openai_offers_gpt_4_at_0_with_1000_tokens_where_nothing_is_said(
    provider: Scenario[Provider],
) -> None:
    model = OfferedModel(name="gpt-4", temperature=0.0, max_tokens=1000)
    provider.when_begun(lambda new: registered(new, secret=KEY)).then(
        ProviderRegistered(
            name="mine", kind=ProviderKind.OPENAI, base_url=None, secret=KEY, models=(model,)
        )
    )


@pytest.mark.parametrize(
    ("kind", "values", "pointers"),
    [
        (ProviderKind.OPENAI, {}, ["/secret"]),
        (ProviderKind.OPENAI, {"secret": KEY, "base_url": "ftp://x"}, ["/base_url"]),
        (ProviderKind.ANTHROPIC, {"secret": KEY}, ["/models"]),
        (ProviderKind.OPENAI_COMPATIBLE, {"models": [GPT_4]}, ["/base_url"]),
        (ProviderKind.LITELLM, {"base_url": ELSEWHERE}, ["/models"]),
        (ProviderKind.LOCAL, {"base_url": ELSEWHERE, "secret": KEY}, ["/base_url", "/secret"]),
        (ProviderKind.LOCAL, {"models": [OfferedModel(name="a/b")]}, ["/models/0/name"]),
        (ProviderKind.LOCAL, {"models": [OfferedModel(name="b.gguf")]}, ["/models/0/name"]),
        (ProviderKind.OPENAI, {"secret": KEY, "models": [GPT_4, GPT_4]}, ["/models/1/name"]),
    ],
)
def test_what_could_not_be_asked_is_refused(
    provider: Scenario[Provider], kind: ProviderKind, values: dict[str, Any], pointers: list[str]
) -> None:
    error = provider.when_begun(lambda new: registered(new, kind, **values)).then_refused(
        InvalidProvider
    )
    assert [fault.pointer for fault in error.faults] == pointers


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ProviderKind.LOCAL, {}),
        (ProviderKind.SCRIPTED, {}),
        (ProviderKind.LITELLM, {"base_url": ELSEWHERE, "models": [GPT_4]}),
        (ProviderKind.OPENAI_COMPATIBLE, {"base_url": ELSEWHERE, "models": [WARM], "secret": KEY}),
        (ProviderKind.COHERE, {"models": [WARM], "secret": KEY}),
    ],
)
def test_each_kind_asks_for_what_it_needs(
    provider: Scenario[Provider], kind: ProviderKind, values: dict[str, Any]
) -> None:
    models = tuple(values.get("models", ())) or None
    made = provider.when_begun(lambda new: registered(new, kind, **values)).then_accepted()
    assert made.models == (models or made.models)
    assert made.models


@pytest.mark.parametrize("secret", ["sk-canary-1", "vault:kv/openai", "env:lower", "env:", ""])
@pytest.mark.feature("LMP-21")
def test_lmp_21_a_key_itself_is_refused_and_the_refusal_says_what_to_do(secret: str) -> None:
    with pytest.raises(ValidationError, match="name the variable, such as env:OPENAI_API_KEY"):
        ProviderKeyRotated(secret=secret)


def test_it_is_changed_given_another_key_disabled_and_enabled(
    provider: Scenario[Provider],
) -> None:
    held = (
        provider.given(REGISTERED)
        .when(lambda it: it.change(base_url=ELSEWHERE, models=[WARM], at=NOW))
        .then(ProviderChanged(base_url=ELSEWHERE, models=(WARM,)))
    )
    held.change(base_url=ELSEWHERE, models=[WARM], at=NOW)
    held.enable(at=NOW)
    assert held.collect() == ()
    held.rotate("env:OTHER_KEY", at=NOW)
    held.rotate("env:OTHER_KEY", at=NOW)
    held.disable("It leaks.", at=NOW)
    held.disable("Again.", at=NOW)
    with pytest.raises(ProviderIsDisabled):
        held.require_enabled()
    held.enable(at=NOW)
    held.require_enabled()
    rotated = ProviderKeyRotated(secret="env:OTHER_KEY")
    recorded = [pending.event for pending in held.collect()]
    assert recorded == [
        rotated,
        rotated,
        ProviderDisabled(reason="It leaks."),
        ProviderEnabled(),
    ], "the same reference may be of a new key"
    assert (held.base_url, held.secret, held.models) == (ELSEWHERE, "env:OTHER_KEY", (WARM,))


def test_a_change_is_refused_as_a_registration_is() -> None:
    held = Provider.fold(ONE, [REGISTERED])
    with pytest.raises(InvalidProvider):
        held.change(base_url="nowhere", models=[], at=NOW)
    here = registered(ONE, ProviderKind.LOCAL)
    with pytest.raises(InvalidProvider):
        here.rotate(KEY, at=NOW)


def test_its_first_model_answers_where_none_is_named() -> None:
    held = Provider.fold(ONE, [REGISTERED])
    assert held.model(None) == GPT_4
    assert held.model(WARM.name) == WARM
    with pytest.raises(ModelIsNotOffered, match="Choose one of gpt-4, org/model-2:free"):
        held.model("gpt-5")


@pytest.mark.feature("LMP-04")
def test_lmp_04_a_tenant_has_one_default_at_most(default: Scenario[DefaultProvider]) -> None:
    held = (
        default.given(DefaultProviderChosen(provider_id=ONE))
        .when(lambda it: it.choose(OTHER, at=NOW))
        .then(DefaultProviderChosen(provider_id=OTHER))
    )
    held.choose(OTHER, at=NOW)
    assert held.collect() == ()
    held.clear(at=NOW)
    held.clear(at=NOW)
    assert [each.event for each in held.collect()] == [DefaultProviderCleared()]
    assert held.provider_id is None
    assert DefaultProvider.id_of("acme") != DefaultProvider.id_of("other")


@pytest.mark.parametrize(
    ("base_url", "reach"),
    [
        (None, Reach.PUBLIC),
        ("https://api.openai.com/v1", Reach.PUBLIC),
        (ELSEWHERE, Reach.PUBLIC),
        ("http://models.internal:8080/v1", Reach.ANYWHERE),
        ("http://169.254.169.254/v1", None),
        ("https://127.0.0.1/v1", None),
        ("https://evil.example/v1", None),
    ],
)
def test_models_are_asked_where_that_is_allowed_and_nowhere_else(
    base_url: str | None, reach: Reach | None
) -> None:
    assert ALLOWED.reach_of(ProviderKind.OPENAI, base_url) is reach
    if reach is None:
        with pytest.raises(ProviderIsNotAllowed, match="STRATAL_PROVIDER_HOSTS"):
            ALLOWED.require(ProviderKind.OPENAI, base_url, None)
    else:
        ALLOWED.require(ProviderKind.OPENAI, base_url, None)


@pytest.mark.parametrize(
    ("kind", "base_url", "is_allowed"),
    [
        (ProviderKind.OPENAI, None, True),
        (ProviderKind.OPENAI, ELSEWHERE, False),
        (ProviderKind.ANTHROPIC, None, False),
        (ProviderKind.LOCAL, None, False),
    ],
)
def test_a_key_goes_to_the_host_that_it_is_for_and_nowhere_else(
    kind: ProviderKind, base_url: str | None, *, is_allowed: bool
) -> None:
    allowance: ProviderAllowance = ALLOWED
    assert allowance.is_key_for(kind, base_url, KEY) is is_allowed
    if not is_allowed:
        with pytest.raises(ProviderIsNotAllowed, match="STRATAL_PROVIDER_KEYS"):
            allowance.require(kind, base_url, KEY)
