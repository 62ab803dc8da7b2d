"""Signatures over HTTP: compiled without a trace, or defined, revised and retired under a name."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Query, Response, status
from pydantic import BaseModel, Field, JsonValue

from application.errors import AggregateNotFound
from application.signatures import (
    DefineSignature,
    RegisterSignature,
    RetireSignature,
    ReviseSignature,
    WrittenSignature,
    compiled,
)
from domain.signature.fields import SignatureSpec
from domain.signature.schemas import SchemaForm, schema_for
from domain.text import Name
from domain.values import Digest
from infrastructure.api.bodies import NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import signatures as read_model
from projections.signatures import SignatureRow

KIND = "signature"
PATH = "/v1/signatures"
routes = router(PATH, "signatures")

Side = Literal["inputs", "outputs"]


class SignatureText(WrittenSignature):
    """A signature: as text in ``syntax``, or as data in ``spec``."""

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "syntax": "message: str -> queue: Literal['bug','billing','howto','feature']",
                    "instructions": "Route the support message.",
                }
            ]
        }
    }


class NewSignature(NewThing, SignatureText):
    """A signature to keep under a name of its own."""

    name: Name


class CompiledView(BaseModel):
    """All that can be known of a signature. Nothing was stored."""

    spec: SignatureSpec
    syntax: str = Field(description="The one way Stratal writes it.")
    content_hash: Digest = Field(description="Equal for every way to write the same signature.")
    input_schema: dict[str, JsonValue] = Field(description="JSON Schema, draft 2020-12.")
    output_schema: dict[str, JsonValue] = Field(description="JSON Schema, draft 2020-12.")


@routes.post("/compile")
async def compile_signature(body: SignatureText) -> CompiledView:
    """Check a signature and see its fields, schemas and hash. Nothing is stored."""
    return CompiledView.model_validate(asdict(compiled(body)))


@routes.post("", status_code=status.HTTP_201_CREATED)
async def define_signature(body: NewSignature, desk: Writing, response: Response) -> Written:
    """Define a signature."""
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    command = wish(DefineSignature, signature_id=desk.new_id(KIND, body.id), **values)
    receipt = await desk.dispatch(command)
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.post("/register")
async def register_signature(body: NewSignature, desk: Writing, response: Response) -> Written:
    """Keep a signature under its name: define it, or write the next revision of the one there.

    Equal content changes nothing, however it is written, so that it may be registered at every
    start of a program. The id counts for a new one only.
    """
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    command = wish(RegisterSignature, signature_id=desk.new_id(KIND, body.id), **values)
    receipt = await desk.dispatch(command)
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_signatures(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    retired: Annotated[bool, Query(description="Those that were retired, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[SignatureRow]:
    """List signatures, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.signatures(
                store, tenant=desk.tenant, name=name, retired=retired, limit=limit, after=after
            )
        )
    )


@routes.get("/{signature}")
async def get_signature(signature: IdOrName, desk: Reading, response: Response) -> SignatureRow:
    """Read one signature, by id or name, retired or not."""
    wanted = id_or(signature)
    row = await desk.read(lambda store: read_model.signature(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.get("/{signature}/json-schema")
async def get_json_schema(
    signature: IdOrName,
    desk: Reading,
    form: Annotated[SchemaForm, Query(alias="for", description="Who reads it.")] = (
        SchemaForm.GENERIC
    ),
    side: Annotated[Side, Query(description="What the schema is of.")] = "outputs",
) -> dict[str, JsonValue]:
    """See the JSON Schema of the inputs or outputs of a signature, as a provider asks for it.

    `generic` is draft 2020-12; `openai` is the value of `response_format.json_schema`; `anthropic`
    is a tool that the model calls with the fields.
    """
    wanted = id_or(signature)
    row = await desk.read(lambda store: read_model.signature(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    fields = row.spec.inputs if side == "inputs" else row.spec.outputs
    return schema_for(form, row.name, row.spec, fields)


@routes.post("/{signature}/revise")
async def revise_signature(
    signature: IdOrName,
    body: SignatureText,
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Write the next revision. Equal content changes nothing; modules keep what they froze."""
    signature_id = await desk.id_of(KIND, signature)
    values = body.model_dump(exclude_unset=True)
    command = wish(ReviseSignature, signature_id=signature_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{signature_id}")


@routes.post("/{signature}/retire")
async def retire_signature(
    signature: IdOrName,
    body: Retirement,
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Take a signature out of service. It stays readable."""
    signature_id = await desk.id_of(KIND, signature)
    command = wish(
        RetireSignature, signature_id=signature_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{signature_id}")
