"""Which tools whoever runs the service lets programs reach; without a word of theirs, none."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from domain.errors import Fault
from domain.tool.errors import ToolIsNotAllowed
from domain.tool.values import HttpTool, McpTool, PythonTool, ToolSpec

_PORTS: Final = {"https": 443, "http": 80}


class Reach(StrEnum):
    """How far a request may go: to addresses of the internet, or of the own network, too."""

    PUBLIC = "public"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is allowed by name.

    ``entry_points`` are functions (``package.module:function``), or packages whose own functions
    may all be called. ``hosts`` are ``api.example.com``, ``*.example.com`` or ``*``, to be reached
    with https on public addresses alone, or origins such as ``http://tools.internal:8080``, which
    may be reached wherever they are. ``secrets`` tells for which host each of them is.
    ``code`` is whether code that a model wrote may run, in a closed process.
    """

    entry_points: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    code: bool = False

    def require(self, tools: Iterable[tuple[str, ToolSpec]]) -> None:
        """Refuse *tools*, each with its JSON pointer, unless all of them are allowed.

        Raises:
            ToolIsNotAllowed: It names every one that is not, and what would allow it.
        """
        faults = [
            Fault(pointer, ToolIsNotAllowed.code, reason)
            for pointer, tool in tools
            for reason in self.refusals(tool)
        ]
        if faults:
            raise ToolIsNotAllowed(faults)

    def refusals(self, tool: ToolSpec) -> Iterator[str]:
        """Why *tool* may not be called here, if it may not."""
        match tool:
            case PythonTool(entry_point=entry_point):
                if self.package_of(entry_point) is None and entry_point not in self.entry_points:
                    yield f"{entry_point} is not allowed here. STRATAL_TOOLS can name it."
            case HttpTool(url=url, secret=secret):
                if self.reach_of(url) is None:
                    yield f"{url[:200]} is not allowed here: see STRATAL_TOOL_HOSTS."
                elif secret is not None and not self.is_secret_for(secret, url):
                    yield f"There is no secret {secret} for this host: see STRATAL_TOOL_SECRETS."
            case McpTool(server=server):
                if server not in self.servers:
                    yield f"There is no MCP server {server} here: see STRATAL_MCP_SERVERS."
            case _:
                pass

    def package_of(self, entry_point: str) -> str | None:
        """The allowed package that *entry_point* lies in, the innermost one."""
        module, _, function = entry_point.partition(":")
        if function.startswith("_"):
            return None
        steps = module.split(".")
        outwards = (".".join(steps[:end]) for end in range(len(steps), 0, -1))
        return next((package for package in outwards if package in self.entry_points), None)

    def reach_of(self, url: str) -> Reach | None:
        """How far a request to *url* may go; ``None`` is nowhere."""
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:  # it is no address
            return None
        if _origin(parts) in self.hosts:
            return Reach.ANYWHERE
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme != "https" or (port or 443) != 443 or not host:
            return None
        steps = host.split(".")
        above = (f"*.{'.'.join(steps[start:])}" for start in range(1, len(steps)))
        named = {host, "*", *above} & self.hosts
        return Reach.PUBLIC if named else None

    def is_secret_for(self, secret: str, url: str) -> bool:
        """Whether *secret* may be sent to *url*."""
        return self.secrets.get(secret) == (urlsplit(url).hostname or "").rstrip(".")


def _origin(parts: SplitResult) -> str:
    host, port = parts.hostname or "", parts.port
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or port == _PORTS.get(parts.scheme)
    return f"{parts.scheme}://{shown}" if usual else f"{parts.scheme}://{shown}:{port}"
