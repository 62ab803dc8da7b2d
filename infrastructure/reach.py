"""What the environment says in JSON of the world outside: secrets, servers, and their forms."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain.tool.values import ServerName


class ToolSecret(BaseModel):
    """A header that workers send to one host, so that no tool can take it elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    value: Annotated[SecretStr, Field(min_length=1)]


class McpServerSettings(BaseModel):
    """An MCP server: a process that workers start, or an address that they ask."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: tuple[str, ...] = ()
    environment: dict[str, SecretStr] = {}
    url: Annotated[str, Field(pattern=r"^https?://[^/@\s]+(/\S*)?$")] | None = None
    headers: dict[str, SecretStr] = {}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == (self.url is not None):
            raise ValueError("name a command or a url")
        return self


def _signer(secret: SecretStr) -> SecretStr:
    """*secret*, if it can sign: behind ``whsec_`` stands Base64."""
    kind, mark, key = secret.get_secret_value().partition("whsec_")
    if mark and not kind:
        base64.b64decode(key, validate=True)
    return secret


SERVERS: Final = TypeAdapter(dict[ServerName, McpServerSettings])
SECRETS: Final = TypeAdapter(dict[ServerName, ToolSecret])
SIGNERS: Final = TypeAdapter(
    dict[ServerName, Annotated[SecretStr, Field(min_length=24), AfterValidator(_signer)]],
    config=ConfigDict(hide_input_in_errors=True),
)
"""What signs webhooks, by name."""

_FORMS: Final[Mapping[str, tuple[TypeAdapter[Any], str]]] = {
    "tool_secrets": (
        SECRETS,
        'use JSON: {"NAME": {"host": "…", "header": "…", "value": "…"}}',
    ),
    "mcp_servers": (
        SERVERS,
        'use JSON: {"NAME": {"command": ["…"], "environment": {}}} or'
        ' {"NAME": {"url": "https://…", "headers": {}}}',
    ),
    "webhook_secrets": (
        SIGNERS,
        'use JSON: {"NAME": "…"}, with 24 characters or more to each secret, Base64 after whsec_',
    ),
}


_OURS: Final = "STRATAL_"


def keys_of(named: str) -> dict[str, str]:
    """Which host each variable with a key is for, as ``VARIABLE@host`` with commas between."""
    told = (each.strip().partition("@") for each in named.split(",") if each.strip())
    return {variable: host for variable, _, host in told}


def require_keys(named: str) -> str:
    """*named*, if ``keys_of`` can read it.

    Raises:
        ValueError: It cannot, or would give one of our own settings away.
    """
    for variable, host in keys_of(named).items():
        if not (variable.isidentifier() and host) or variable.startswith(_OURS):
            raise ValueError("name VARIABLE@host, none of ours, with commas between")
    return named


def require_form(setting: str, told: str) -> None:
    """Refuse what is *told* of a *setting*, unless it has that one's form.

    Raises:
        ValueError: It has not. The message shows nothing of it: it holds secrets.
    """
    adapter, form = _FORMS[setting]
    try:
        adapter.validate_json(told)
    except ValidationError:
        raise ValueError(form) from None
