"""What a record may hold, how a patch changes it, and which bindings a change calls."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from uuid import UUID, uuid5

from pydantic import JsonValue

from domain.errors import Fault
from domain.record.values import Call
from domain.text import MAX_NAME_BYTES, escape
from domain.values import Failure

MAX_DATA_BYTES: Final = 1024 * 1024
MAX_FIELDS: Final = 200

_EXECUTIONS: Final = UUID("3b0f5a52-9d0f-5c7b-8f3e-2f1d6a7c9e44")
"""Namespace of the executions that records call for. Never change it."""

Data = Mapping[str, JsonValue]


def merged(target: JsonValue, patch: JsonValue) -> JsonValue:
    """*target* as *patch* changes it (RFC 7396): null removes, objects go into what is there."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for name, part in patch.items():
        if part is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), part)
    return made


def changed_fields(before: Data, after: Data) -> tuple[str, ...]:
    """The fields that are not the same in both, in order; 1 is neither true nor 1.0."""
    names = dict.fromkeys((*before, *after))
    return tuple(name for name in names if _told(before, name) != _told(after, name))


def data_faults(data: Data, size_bytes: int, at: str) -> Iterator[Fault]:
    """Everything that keeps *data* at the pointer *at* from being a record."""
    if size_bytes > MAX_DATA_BYTES:
        message = f"A record has at most {MAX_DATA_BYTES} bytes of JSON. Keep less in it."
        yield Fault(at, "record.too_large", message)
    if len(data) > MAX_FIELDS:
        message = f"A record has at most {MAX_FIELDS} fields. Put some of them into one."
        yield Fault(at, "record.too_many_fields", message)
        return
    for name in data:
        if len(name.encode()) > MAX_NAME_BYTES:
            message = f"The name of a field has at most {MAX_NAME_BYTES} bytes. Shorten it."
            yield Fault(f"{at}/{escape(name)}", "name.too_long", message)


def calls_of(
    record_id: UUID, version: int, bindings: Iterable[tuple[UUID, int]], cause: Call | None
) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    """The calls that a change to *version* makes, and those that end a chain instead.

    Nothing calls itself: the binding of *cause*, the call whose answer the change is, is not called
    again, and one that was called earlier in its chain is called no second time. So a chain is
    never longer than there are bindings.
    """
    chain = () if cause is None else cause.next_chain
    made = [
        call_of(record_id, version, binding_id, binding_version, chain=chain)
        for binding_id, binding_version in bindings
        if cause is None or binding_id != cause.binding_id
    ]
    return (
        tuple(call for call in made if call.binding_id not in chain),
        tuple(call for call in made if call.binding_id in chain),
    )


def call_of(
    record_id: UUID,
    version: int,
    binding_id: UUID,
    binding_version: int,
    *,
    chain: tuple[UUID, ...] = (),
) -> Call:
    """The call that *version* of a record makes of a binding: always the same one."""
    return Call(
        execution_id=uuid5(_EXECUTIONS, f"{record_id}/{version}/{binding_id}"),
        binding_id=binding_id,
        binding_version=binding_version,
        chain=chain,
    )


def chain_ended(call: Call) -> Failure:
    """Why *call* is not made: what it leads to has led to it."""
    return Failure(
        code="record.chain_ended",
        message=(
            "The answer to this binding led, over others, to the change that calls it again; it is "
            f"not called twice in a chain. {len(call.chain)} came before it. Bind them to fewer "
            "fields to part them."
        ),
    )


def _told(data: Data, name: str) -> object:
    return _typed(data[name]) if name in data else None


def _typed(value: JsonValue) -> object:
    """*value* in a form that differs wherever its JSON does."""
    match value:
        case dict():
            return {name: _typed(part) for name, part in value.items()}
        case list():
            return [_typed(part) for part in value]
        case _:
            return type(value), value
