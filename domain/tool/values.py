"""What an agent can reach beyond its model: the closed set of tools, each of them data."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.kernel import ValueObject
from domain.signature.fields import FieldSpec
from domain.signature.types import ListOf, Primitive

ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
"""What the model calls a tool by: an identifier, as providers and generated code need it."""

ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that whoever runs the workers gave to a server or a secret."""

EntryPoint = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
        max_length=300,
    ),
]
"""A function as ``package.module:function``."""

MAX_PASSAGES = 100
"""How many passages a retriever gives at most."""


class PythonTool(ValueObject):
    """A function of an allowed package, imported by workers only."""

    kind: Literal["python"] = "python"
    name: ToolName
    description: str
    entry_point: EntryPoint
    arguments: tuple[FieldSpec, ...] = ()


Place = Literal["path", "query", "body"]


class HttpTool(ValueObject):
    """A request to an allowed host; the answer is its text, or its JSON.

    ``url`` may hold arguments in braces, ``places`` says where each of the others goes; one that it
    does not name goes into the query, with POST, PUT and PATCH into the body. ``secret`` names a
    header that workers add; what it holds is known to them alone.
    """

    kind: Literal["http"] = "http"
    name: ToolName
    description: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    arguments: tuple[FieldSpec, ...] = ()
    places: dict[str, Place] = {}
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    secret: ServerName | None = None


class ProgramTool(ValueObject):
    """A version of another program; its inputs are the arguments, its outputs the result."""

    kind: Literal["program"] = "program"
    name: ToolName
    description: str
    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]


class Corpus(ValueObject):
    """The texts that a retriever searches: one field of every row of a dataset."""

    dataset_id: UUID
    field: str


class RetrieverTool(ValueObject):
    """The ``k`` passages of a corpus nearest to a query; its only argument is ``query``."""

    kind: Literal["retriever"] = "retriever"
    name: ToolName
    description: str
    corpus: Corpus
    k: Annotated[int, Field(ge=1, le=MAX_PASSAGES)] = 3


class McpTool(ValueObject):
    """A tool of a configured MCP server, called there by the name ``tool``."""

    kind: Literal["mcp"] = "mcp"
    name: ToolName
    description: str
    server: ServerName
    tool: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    arguments: tuple[FieldSpec, ...] = ()


ToolSpec = Annotated[
    PythonTool | HttpTool | ProgramTool | RetrieverTool | McpTool, Field(discriminator="kind")
]

QUERY = FieldSpec(name="query", description="What to look for")
"""The argument of a retriever."""

PASSAGES = FieldSpec(name="passages", type=ListOf(item=Primitive(name="string")))
"""What a retriever gives: texts, the nearest one first."""
