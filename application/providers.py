"""Providers of language models: each command, and beneath it its handler."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from application.attempts import MAX_TRIES
from application.authorization import Permission
from application.commands import Command, handles
from application.context import current
from application.errors import AggregateNotFound, ConcurrentWrite
from application.models import WORKERS_MODEL, Models
from application.ports import Claim, Clock, Receipt, Repository
from application.reasons import NO_REASON
from domain.provider.aggregate import DefaultProvider, Provider
from domain.provider.allowance import ProviderAllowance
from domain.provider.values import BaseUrl, OfferedModels, ProviderKind, SecretRef
from domain.text import LongText, Name


class RegisterProvider(Command):
    """Without ``models`` it offers the usual one of its kind, where there is one."""

    provider_id: UUID
    name: Name
    kind: ProviderKind
    base_url: BaseUrl | None = None
    secret: SecretRef | None = None
    models: OfferedModels = ()


class ChangeProvider(Command):
    """Everything that can be changed is told, also what stays."""

    provider_id: UUID
    base_url: BaseUrl | None = None
    models: OfferedModels = ()
    expected_version: int | None = None


class RotateProviderKey(Command):
    provider_id: UUID
    secret: SecretRef
    expected_version: int | None = None


class DisableProvider(Command):
    provider_id: UUID
    reason: LongText = NO_REASON
    expected_version: int | None = None


class EnableProvider(Command):
    provider_id: UUID
    expected_version: int | None = None


class ChooseDefaultProvider(Command):
    """Without a provider the model of the workers answers where nothing else is said."""

    provider_id: UUID | None


@dataclass(frozen=True, slots=True)
class ProviderHandlers:
    """``allowance`` is where models may be asked, with which keys; ``models`` hears of changes."""

    providers: Repository[Provider]
    defaults: Repository[DefaultProvider]
    allowance: ProviderAllowance
    clock: Clock
    models: Models = WORKERS_MODEL

    @handles(RegisterProvider, Permission.MANAGE_PROVIDERS)
    def register(self, command: RegisterProvider) -> Receipt:
        provider = Provider.register(
            command.provider_id,
            command.name,
            command.kind,
            base_url=command.base_url,
            secret=command.secret,
            models=command.models,
            at=self.clock.now(),
        )
        self._require_allowed(provider)
        claim = Claim(Provider.KIND, command.name, provider.id)
        return self._saved(provider, claim)

    @handles(ChangeProvider, Permission.MANAGE_PROVIDERS)
    def change(self, command: ChangeProvider) -> Receipt:
        provider = self._expected(command)
        provider.change(base_url=command.base_url, models=command.models, at=self.clock.now())
        self._require_allowed(provider)
        return self._saved(provider)

    @handles(RotateProviderKey, Permission.MANAGE_PROVIDERS)
    def rotate(self, command: RotateProviderKey) -> Receipt:
        provider = self._expected(command)
        provider.rotate(command.secret, at=self.clock.now())
        self._require_allowed(provider)
        return self._saved(provider)

    @handles(DisableProvider, Permission.MANAGE_PROVIDERS)
    def disable(self, command: DisableProvider) -> Receipt:
        provider = self._expected(command)
        provider.disable(command.reason, at=self.clock.now())
        return self._saved(provider)

    @handles(EnableProvider, Permission.MANAGE_PROVIDERS)
    def enable(self, command: EnableProvider) -> Receipt:
        provider = self._expected(command)
        provider.enable(at=self.clock.now())
        return self._saved(provider)

    @handles(ChooseDefaultProvider, Permission.MANAGE_PROVIDERS)
    def choose_default(self, command: ChooseDefaultProvider) -> Receipt:
        if command.provider_id is not None:
            self.providers.get(command.provider_id).require_enabled()
        for _ in range(MAX_TRIES - 1):
            with suppress(ConcurrentWrite):
                return self._choose(command.provider_id)
        return self._choose(command.provider_id)

    def _choose(self, provider_id: UUID | None) -> Receipt:
        default_id = DefaultProvider.id_of(current().tenant)
        try:
            default = self.defaults.get(default_id)
        except AggregateNotFound:  # nobody chose before
            default = DefaultProvider(default_id)
        if provider_id is None:
            default.clear(at=self.clock.now())
        else:
            default.choose(provider_id, at=self.clock.now())
        receipt = self.defaults.save(default)
        self.models.changed()
        return receipt

    def _saved(self, provider: Provider, claim: Claim | None = None) -> Receipt:
        receipt = self.providers.save(provider, claim=claim)
        self.models.changed()
        return receipt

    def _expected(
        self, command: ChangeProvider | RotateProviderKey | DisableProvider | EnableProvider
    ) -> Provider:
        provider = self.providers.get(command.provider_id)
        provider.expect(command.expected_version)
        return provider

    def _require_allowed(self, provider: Provider) -> None:
        self.allowance.require(provider.kind, provider.base_url, provider.secret)
