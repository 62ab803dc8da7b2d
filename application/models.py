"""Which model answers: resolved when a run is asked for, looked up when it is carried out."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from pydantic import JsonValue

from application.context import current
from application.errors import AggregateNotFound
from application.fresh import Fresh
from application.lm_ports import JsonObject, ModelChoice, ProgramFailed
from application.ports import Monotonic, Names, Repository
from domain.program.model import model_of
from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.allowance import ProviderAllowance
from domain.provider.errors import ModelIsNotOffered, ProviderIsUnknown
from domain.provider.values import STANDARDS, OfferedModel, ProviderKind, variable_of
from domain.routing import Routing
from domain.values import Failure

MADE_UP: Final = "made-up"
"""The model that makes its answers up; no setting names it."""

_ASKED_AS: Final[Mapping[ProviderKind, str]] = {
    ProviderKind.ANTHROPIC: "anthropic/{}",
    ProviderKind.LOCAL: "local:{}",
    ProviderKind.SCRIPTED: MADE_UP,
}
"""How a kind is asked, as ``STRATAL_LM`` has it; the others speak OpenAI's interface."""

_CALLED: Final[Mapping[ProviderKind, str]] = {
    ProviderKind.LOCAL: "local/{}",
    ProviderKind.SCRIPTED: f"scripted/{MADE_UP}",
}
"""How calls of a kind are recorded, where that is not as it is asked."""


@dataclass(frozen=True, slots=True)
class RunToRoute:
    """A run that a route is to find a model for. Its inputs are read only if that needs them."""

    id: UUID
    input_size: int
    inputs: Callable[[], JsonObject]


class Offer(NamedTuple):
    """A model of a provider, as calls of it are recorded, and how this process asks it."""

    called: str
    model: OfferedModel
    choice: ModelChoice
    is_free: bool


class Models(Protocol):
    """The models that the providers of the current context's tenant offer."""

    def resolved(self, asked: str | None, config: Mapping[str, JsonValue]) -> str | None:
        """The model for a run, as ``provider/model``: the call's, the program's, or the default.

        A route stays what it is, ``route:NAME``, until it is carried out.

        ``None`` is the model of the workers, which answers for a tenant that chose nothing.

        Args:
            asked: What the call names: a provider, or a model of one, as ``provider/model``.
            config: The config of the program.

        Raises:
            ProviderIsUnknown, ModelIsNotOffered, RouteIsUnknown: What is named is not there.
            ProviderIsDisabled, RouteIsDisabled: It is asked nothing more.
        """
        ...

    def offered(self, asked: str) -> str:
        """The model of a provider that *asked* names, in full: ``provider/model``.

        Raises:
            ProviderIsUnknown, ModelIsNotOffered, ProviderIsDisabled: As above.
        """
        ...

    def routed(self, model: str | None, run: RunToRoute) -> Routing | None:
        """The choice of a model for *run*, where *model* is a route; else ``None``.

        Raises:
            RouteIsUnknown, RouteIsDisabled: It leads nowhere.
            NoModelAvailable: No candidate of it may answer.
        """
        ...

    def changed(self) -> None:
        """Forget what is kept of providers: one of them changed, or the default did."""
        ...

    def chosen(
        self, model: str | None, *, live: bool = True, fallback: str | None = None
    ) -> ModelChoice | None:
        """How the resolved *model* is asked, with its key; ``None`` is the model of the workers.

        With ``live=False`` it is never asked, so that it may be gone and its key unknown. Where it
        fails its *fallback* answers, unless that may not be asked any more.

        Raises:
            ProgramFailed: It may not be asked any more, or this worker does not have its key.
        """
        ...


class _WorkersModel:
    """Where there are no providers."""

    def resolved(self, asked: str | None, config: Mapping[str, JsonValue]) -> None:
        del asked, config

    def offered(self, asked: str) -> str:
        raise ProviderIsUnknown(asked)

    def routed(self, model: str | None, run: RunToRoute) -> None:
        del model, run

    def chosen(self, model: str | None, *, live: bool = True, fallback: str | None = None) -> None:
        del model, live, fallback

    def changed(self) -> None:
        """There is nothing to forget."""


WORKERS_MODEL: Final = _WorkersModel()


class ProviderModels:
    """``Models`` over the log; ``key_in`` reads a variable of this process.

    What it reads is kept for a second, so a run seldom waits for the database because of it.
    """

    def __init__(
        self,
        providers: Repository[Provider],
        defaults: Repository[DefaultProvider],
        names: Names,
        allowance: ProviderAllowance,
        *,
        key_in: Callable[[str], str | None],
        monotonic: Monotonic,
    ) -> None:
        self._providers, self._defaults, self._names = providers, defaults, names
        self._allowance, self._key_in = allowance, key_in
        self._kept = Fresh[Provider](monotonic)
        self._kept_defaults = Fresh[Provider | None](monotonic)

    def resolved(self, asked: str | None, config: Mapping[str, JsonValue]) -> str | None:
        named = asked or model_of(config)
        if named is not None:
            return self.offered(named)
        default = self._default()
        return None if default is None else _in_full(default, None)

    def offered(self, asked: str) -> str:
        name, slash, model = asked.partition("/")
        return _in_full(self._named(name), model if slash else None)

    def routed(self, model: str | None, run: RunToRoute) -> None:
        """Nothing here is a route."""
        del model, run

    def offer(self, model: str) -> Offer | None:
        """The resolved *model* as it is asked and recorded; ``None`` if it may not be asked now."""
        name, _, wanted = model.partition("/")
        provider = self._named(name)
        with suppress(ProgramFailed, ModelIsNotOffered):
            choice, offered = self._asked(model, live=True), provider.model(wanted)
            called = _CALLED.get(provider.kind, choice.name).format(wanted)
            return Offer(called, offered, choice, STANDARDS[provider.kind].is_here)
        return None

    def chosen(
        self, model: str | None, *, live: bool = True, fallback: str | None = None
    ) -> ModelChoice | None:
        if model is None:
            return None
        choice = self._asked(model, live=live)
        if fallback is not None and live:
            with suppress(ProgramFailed):
                return replace(choice, fallback=self._asked(fallback, live=live))
        return choice

    def changed(self) -> None:
        self._kept.forget_all()
        self._kept_defaults.forget_all()

    def _asked(self, model: str, *, live: bool) -> ModelChoice:
        name, _, wanted = model.partition("/")
        provider = self._named(name)
        asked_as = _ASKED_AS.get(provider.kind, "openai/{}").format(wanted)
        reach = self._allowance.reach_of(provider.kind, provider.base_url)
        if live and provider.is_disabled:
            raise _failed("provider.disabled", f"The provider {name} was disabled meanwhile.")
        if live and reach is None:
            message = f"The provider {name} is not allowed on this worker."
            raise _failed("provider.not_allowed", f"{message} See STRATAL_PROVIDER_HOSTS.")
        return ModelChoice(
            asked_as,
            api_base=provider.base_url or _usual_address(provider.kind),
            api_key=self._key(provider) if live else _NO_KEY,
            reach=reach,
        )

    def _key(self, provider: Provider) -> str | None:
        if provider.secret is None:
            return None if STANDARDS[provider.kind].is_here else _NO_KEY
        variable = variable_of(provider.secret)
        if not self._allowance.is_key_for(provider.kind, provider.base_url, provider.secret):
            message = f"The key in {variable} may not be sent to {provider.name} by this worker."
            raise _failed("provider.not_allowed", f"{message} See STRATAL_PROVIDER_KEYS.")
        key = self._key_in(variable)
        if not key:
            message = f"This worker has no key in {variable} for the provider {provider.name}."
            raise _failed("provider.key_missing", f"{message} Set it, and start the workers anew.")
        return key

    def _named(self, name: str) -> Provider:
        def read() -> Provider:
            holder = self._names.holder(Provider.KIND, name)
            if holder is None:
                raise ProviderIsUnknown(name)
            return self._providers.get(holder)

        return self._kept.get((current().tenant, name), read)

    def _default(self) -> Provider | None:
        tenant = current().tenant

        def read() -> Provider | None:
            try:
                chosen = self._defaults.get(DefaultProvider.id_of(tenant)).provider_id
            except AggregateNotFound:
                return None
            return None if chosen is None else self._providers.get(chosen)

        return self._kept_defaults.get(tenant, read)


_NO_KEY: Final = "none"
"""What is sent to a server that asks for no key: its interface wants one to be sent."""


def _in_full(provider: Provider, model: str | None) -> str:
    provider.require_enabled()
    return f"{provider.name}/{provider.model(model).name}"


def billed_as(choice: ModelChoice) -> str:
    """The name that calls of *choice* are on record and priced under."""
    if choice.name == MADE_UP:
        return f"scripted/{MADE_UP}"
    return choice.name.replace("local:", "local/", 1)


def _usual_address(kind: ProviderKind) -> str | None:
    """Where a kind is asked over another one's interface; the others are known to be somewhere."""
    return STANDARDS[kind].address if kind is ProviderKind.COHERE else None


def _failed(code: str, message: str) -> ProgramFailed:
    return ProgramFailed(Failure(code=code, message=message))
