"""The tools that the settings allow, with what is needed to reach them."""

from collections.abc import Mapping

from pydantic import SecretStr

from infrastructure.reach import McpServerSettings
from infrastructure.settings import Settings
from infrastructure.tools.http import Secret
from infrastructure.tools.mcp import AddressServer, McpServer, ProcessServer
from infrastructure.tools.toolbox import WorkerToolbox


def allowed_toolbox(settings: Settings) -> WorkerToolbox:
    """The toolbox of a worker."""
    secrets = {
        name: Secret(each.header, each.value.get_secret_value())
        for name, each in settings.secrets.items()
    }
    servers = {name: _server(each) for name, each in settings.servers.items()}
    return WorkerToolbox(settings.allowance, secrets, servers)


def _server(told: McpServerSettings) -> McpServer:
    if told.url is None:
        return ProcessServer(told.command, _revealed(told.environment))
    return AddressServer(told.url, _revealed(told.headers))


def _revealed(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in secrets.items()}
