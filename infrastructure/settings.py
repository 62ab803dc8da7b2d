"""Settings: of the environment and a file, validated once, and listed by ``stratal doctor``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from application.auditing import AddressMode
from application.scrubbing import place_of
from domain.program.deadline import MAX_DEADLINE_S
from domain.provider.allowance import ProviderAllowance
from domain.tool.allowance import Allowance
from infrastructure.reach import (
    SECRETS,
    SERVERS,
    SIGNERS,
    McpServerSettings,
    ToolSecret,
    keys_of,
    require_form,
    require_keys,
)
from infrastructure.settings_text import FileIsUnreadable, Functions, Packages, in_file, listed
from infrastructure.shown import hidden, plain, sentence

PREFIX = "STRATAL_"
MAX_TTL_S = 30 * 24 * 3600


class SettingsAreInvalid(Exception):
    """The environment says something Stratal cannot use; the message names every variable."""

    code = "settings.invalid"


class Settings(BaseModel):
    """Where things are and how many there are. Each field is read from ``STRATAL_<NAME>``.

    What no variable says, the file in ``STRATAL_SETTINGS`` may say under the field's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    settings: Annotated[
        Path | None,
        Field(description="File in TOML with settings that no variable says: max_retries = 3."),
    ] = None
    home: Annotated[Path, Field(description="Data, logs and models live here.")] = Path(
        "~/.stratal"
    )
    database_url: Annotated[
        str | None, Field(description="Postgres to use; unset: an embedded one under STRATAL_HOME.")
    ] = None
    database_owner_url: Annotated[
        str | None,
        Field(description="The same by the role that owns the tables, to prepare it at the start."),
    ] = None
    broker_url: Annotated[
        str | None, Field(description="redis:// or amqp:// queue; unset: the Postgres database.")
    ] = None
    host: Annotated[str, Field(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the API.")] = 8000
    lm: Annotated[
        str,
        Field(
            min_length=1,
            description="Language model: local, local:NAME, scripted:FILE, provider/model, "
            "or plugin:PATH.",
        ),
    ] = "local"
    lm_api_base: Annotated[str | None, Field(description="Address of the provider's API.")] = None
    lm_api_key: Annotated[SecretStr | None, Field(description="Key of the provider.")] = None
    lm_fallback: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Model that answers executions where STRATAL_LM fails; named like it.",
        ),
    ] = None
    lm_fallback_api_base: Annotated[
        str | None, Field(description="Address of the API of that model's provider.")
    ] = None
    lm_fallback_api_key: Annotated[
        SecretStr | None, Field(description="Key of that model's provider.")
    ] = None
    max_retries: Annotated[
        int,
        Field(ge=0, le=10, description="How often a model call is tried again that may pass then."),
    ] = 3
    retry_delay: Annotated[
        int,
        Field(
            ge=0,
            le=60_000,
            description="Milliseconds before it is tried again; doubled each time, unless the"
            " provider says how long.",
        ),
    ] = 1000
    lm_feedback: Annotated[
        int,
        Field(
            ge=0,
            le=3,
            description="How often a model is told what is wrong with an answer that cannot be"
            " read, and asked again, before it is asked in another form.",
        ),
    ] = 1
    lm_concurrency: Annotated[
        int | None,
        Field(ge=1, le=1000, description="Model calls at once of all workers; unset: any number."),
    ] = None
    lm_rpm: Annotated[
        int | None, Field(ge=1, description="Model calls a minute of all workers; unset: any.")
    ] = None
    lm_tpm: Annotated[
        int | None, Field(ge=1, description="Tokens a minute of all workers; unset: any.")
    ] = None
    lm_tenant_rpm: Annotated[
        int | None, Field(ge=1, description="The same as STRATAL_LM_RPM for each tenant.")
    ] = None
    lm_tenant_tpm: Annotated[
        int | None, Field(ge=1, description="The same as STRATAL_LM_TPM for each tenant.")
    ] = None
    cache_ttl_s: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_TTL_S,
            description="Seconds for which an answer of the model may answer equal calls, of"
            " programs with cache: answers.",
        ),
    ] = 3600
    prediction_ttl_s: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_TTL_S,
            description="Seconds for which an execution may answer equal ones, of programs with"
            " cache: predictions.",
        ),
    ] = 600
    notary_key: Annotated[
        Path | None,
        Field(description="Ed25519 key (PEM) that signs the log; unset: one under STRATAL_HOME."),
    ] = None
    notary_file: Annotated[
        Path | None, Field(description="Checkpoints of the log are also appended to this file.")
    ] = None
    notary_url: Annotated[
        str | None, Field(description="Checkpoints of the log are also posted to this address.")
    ] = None
    audit_addresses: Annotated[
        AddressMode,
        Field(
            description="What the audit keeps of a client's address: none, network (/24, of IPv6"
            " /48), or full."
        ),
    ] = "network"
    access: Annotated[
        Literal["open", "keys"],
        Field(
            description="open: whoever reaches the API may do all, as whoever they say they are;"
            " keys: only who has a key, as that key says."
        ),
    ] = "open"
    api_key: Annotated[SecretStr | None, Field(description="Key that this client sends.")] = None
    tenant_rate: Annotated[
        float | None,
        Field(gt=0, description="Requests a second of a tenant, in each API process; unset: any."),
    ] = None
    actor_rate: Annotated[
        float | None,
        Field(gt=0, description="Requests a second of an actor, in each API process; unset: any."),
    ] = None
    modules: Annotated[
        Packages,
        Field(description="Packages whose dspy.Modules may be imported: acme_rag,other.package."),
    ] = ""
    tools: Annotated[
        Functions,
        Field(description="Functions that agents may call: acme.tools:search, or whole packages."),
    ] = ""
    tool_hosts: Annotated[
        str,
        Field(
            description="Hosts that tools may ask: api.example.com, *.example.com, * (https, public"
            " addresses) or origins like http://tools.internal:8080 (wherever they are)."
        ),
    ] = ""
    allow_code: Annotated[
        bool,
        Field(description="Whether code that models write may run, in processes that are closed."),
    ] = False
    tool_secrets: Annotated[
        SecretStr | None,
        Field(description='Headers for hosts, as JSON: {"NAME": {"host", "header", "value"}}.'),
    ] = None
    mcp_servers: Annotated[
        SecretStr | None,
        Field(
            description='MCP servers, as JSON: {"NAME": {"command", "environment"}} or'
            ' {"NAME": {"url", "headers"}}.'
        ),
    ] = None
    policies: Annotated[
        Functions,
        Field(description="Functions that answer events with commands: acme.policies:route."),
    ] = ""
    provider_hosts: Annotated[
        str,
        Field(description="Hosts that providers may be at, written as STRATAL_TOOL_HOSTS."),
    ] = ""
    provider_keys: Annotated[
        str,
        AfterValidator(require_keys),
        Field(
            description="Variables with keys of providers, each with the host that it is for:"
            " OPENAI_API_KEY@api.openai.com."
        ),
    ] = ""
    webhook_hosts: Annotated[
        str,
        Field(description="Hosts that webhooks may be sent to, written as STRATAL_TOOL_HOSTS."),
    ] = ""
    webhook_secrets: Annotated[
        SecretStr | None, Field(description='What signs webhooks, as JSON: {"NAME": "…"}.')
    ] = None
    deadline_s: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_DEADLINE_S,
            description="Seconds that an execution may take whose caller waits, unless it or its"
            " program says otherwise.",
        ),
    ] = 30
    engine: Annotated[
        str,
        Field(
            pattern=r"^(dspy|dspy-process|native|scripted:.+)$",
            description="What carries programs out: dspy (in the worker), dspy-process (in"
            " processes of its own), native (without DSPy), or scripted:FILE.",
        ),
    ] = "dspy"
    engine_processes: Annotated[
        int, Field(ge=1, le=64, description="Processes of dspy-process in each worker.")
    ] = 2
    engine_per_tenant: Annotated[
        bool, Field(description="Whether a process of dspy-process is of one tenant alone.")
    ] = False
    recycle_jobs: Annotated[
        int,
        Field(ge=0, description="Workers and their processes are replaced after so many jobs."),
    ] = 0
    memory_mb: Annotated[
        int,
        Field(
            ge=0,
            description="They are replaced above so much memory, too: a worker between jobs, a"
            " process of dspy-process at once. 0: whatever they take.",
        ),
    ] = 0
    workers: Annotated[int, Field(ge=1, le=64, description="Worker processes of `serve`.")] = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read every ``STRATAL_*`` variable that has a value, and the file that one of them names.

        Raises:
            SettingsAreInvalid: A variable is unknown or its value cannot be used; all are named.
        """
        source = os.environ if environment is None else environment
        found: dict[str, object] = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in source.items()
            if name.startswith(PREFIX) and value
        }
        try:
            return cls.model_validate({**in_file(found.get("settings")), **found})
        except FileIsUnreadable as error:
            raise SettingsAreInvalid(f"{PREFIX}SETTINGS: {error}") from None
        except ValidationError as error:
            raise SettingsAreInvalid(sentence(error, PREFIX, cls.model_fields)) from None

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("settings", "notary_key", "notary_file")
    @classmethod
    def _absolute_if_named(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @field_validator("notary_url")
    @classmethod
    def _known_to_http(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("use an http:// or https:// address, or unset it")
        return url

    @field_validator("tool_secrets", "mcp_servers", "webhook_secrets")
    @classmethod
    def _in_form(cls, told: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if told is not None:
            require_form(str(info.field_name), told.get_secret_value())
        return told

    @field_validator("database_owner_url")
    @classmethod
    def _of_a_database(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and info.data.get("database_url") is None:
            raise ValueError("set STRATAL_DATABASE_URL, too, to the address of the service's role")
        return url

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"redis", "rediss", "amqp", "amqps"}:
            raise ValueError("use a redis:// or amqp:// address, or unset it for Postgres")
        return url

    @property
    def key_text(self) -> str | None:
        """The key that a client of this service sends, if it has one."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def module_packages(self) -> frozenset[str]:
        """The packages whose modules may be imported; none unless somebody names some."""
        return frozenset(filter(None, self.modules.split(",")))

    @property
    def allowance(self) -> Allowance:
        """The tools that programs may reach; none unless somebody names some."""
        return Allowance(
            entry_points=frozenset(listed(self.tools)),
            hosts=frozenset(listed(self.tool_hosts)),
            servers=frozenset(self.servers),
            secrets={name: secret.host for name, secret in self.secrets.items()},
            code=self.allow_code,
        )

    @property
    def policy_paths(self) -> tuple[str, ...]:
        """The functions that answer events; none unless somebody names some."""
        return tuple(listed(self.policies))

    @property
    def webhook_allowance(self) -> Allowance:
        """Where events may be sent; nowhere unless somebody names some."""
        return Allowance(hosts=frozenset(listed(self.webhook_hosts)))

    @property
    def provider_allowance(self) -> ProviderAllowance:
        """Where models may be asked; where all of a kind are, unless somebody names others."""
        hosts = frozenset(listed(self.provider_hosts))
        return ProviderAllowance(Allowance(hosts=hosts, secrets=keys_of(self.provider_keys)))

    @property
    def signers(self) -> Mapping[str, SecretStr]:
        """What signs webhooks, by name."""
        told = self.webhook_secrets
        return {} if told is None else SIGNERS.validate_json(told.get_secret_value())

    @property
    def servers(self) -> Mapping[str, McpServerSettings]:
        """The MCP servers by name."""
        told = self.mcp_servers
        return {} if told is None else SERVERS.validate_json(told.get_secret_value())

    @property
    def secrets(self) -> Mapping[str, ToolSecret]:
        """The headers that tools may send, by name."""
        told = self.tool_secrets
        return {} if told is None else SECRETS.validate_json(told.get_secret_value())

    def environment(self) -> dict[str, str]:
        """The variables that give a child process these settings, and unset what they leave out."""
        return {PREFIX + name.upper(): plain(value) for name, value in self}

    def shown(self) -> dict[str, str]:
        """Every setting by variable name, secrets hidden."""
        shown = {PREFIX + name.upper(): hidden(value) for name, value in self}
        if self.notary_url is not None:
            shown[f"{PREFIX}NOTARY_URL"] = place_of(self.notary_url)
        return shown
