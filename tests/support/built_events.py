"""Strategies that build any event of the product, and any envelope, from their fields alone."""

from collections.abc import Iterable
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from annotated_types import Ge, Gt, Le, MinLen
from hypothesis import reject
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from domain.kernel import Envelope, Event
from domain.module.kinds import ModuleKind
from domain.module.parameters import PARAMETERS
from domain.module.values import ModuleConfig, ModuleSpec
from domain.signature.fields import SignatureSpec
from infrastructure.eventstore.topics import EVENTS

M = TypeVar("M", bound=BaseModel)

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _FLOATS | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


def events(kind: type[Event] | None = None) -> st.SearchStrategy[Event]:
    """Any event, or any of one *kind*."""
    if kind is not None:
        return _model(kind)
    return st.sampled_from([*EVENTS]).flatmap(_of_topic)


def _of_topic(topic: str) -> st.SearchStrategy[Event]:
    # A function: Hypothesis prints the strategy of a test whenever it draws what does not fit, and
    # that of all events would be too long.
    return _model(EVENTS[topic])


def envelopes() -> st.SearchStrategy[Envelope]:
    return _model(Envelope)


def _modules() -> st.SearchStrategy[ModuleSpec]:
    """Modules whose parameters are those of their kind."""

    def of(kind: ModuleKind) -> st.SearchStrategy[ModuleSpec]:
        wanted = PARAMETERS[kind]
        return st.builds(
            ModuleSpec,
            kind=st.just(kind),
            signature=_model(SignatureSpec),
            config=_model(ModuleConfig),
            parameters=st.none() if wanted is None else _model(wanted),
        )

    return st.sampled_from(ModuleKind).flatmap(of)


@cache
def _model(kind: type[M]) -> st.SearchStrategy[M]:
    def fields() -> st.SearchStrategy[M]:
        return st.fixed_dictionaries(
            {
                name: _value(field.annotation, field.metadata)
                for name, field in kind.model_fields.items()
            }
        ).map(build)

    def build(values: dict[str, Any]) -> M:
        try:
            return kind(**values)
        except ValidationError:
            return reject()

    return st.deferred(fields)


def _value(kind: Any, metadata: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    limits = list(metadata)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is JsonValue:
        return _JSON
    if origin is Annotated:
        return _value(arguments[0], [*limits, *_unfolded(arguments[1:])])
    if origin in (Union, UnionType):
        # The first one often: in a union that refers to itself it is the leaf, and growth ends.
        likely = [arguments[0]] * len(arguments)
        return st.one_of([_value(each, limits) for each in (*likely, *arguments)])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        items = st.lists(_value(arguments[0]), min_size=_limit(limits, MinLen, 0), max_size=2)
        return items.map(tuple)
    if origin is dict:
        return st.dictionaries(_value(arguments[0]), _value(arguments[1]), max_size=2)
    return _plain(kind, limits)


def _plain(kind: Any, limits: list[Any]) -> st.SearchStrategy[Any]:
    if kind is ModuleSpec:
        return _modules()
    if issubclass(kind, BaseModel):
        return _model(kind)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    least, most = _limit(limits, Ge, None), _limit(limits, Le, None)
    patterns = [each.pattern for each in limits if getattr(each, "pattern", None)]
    plain: dict[type, st.SearchStrategy[Any]] = {
        NoneType: st.none(),
        bool: st.booleans(),
        UUID: st.uuids(),
        str: st.from_regex(patterns[0], fullmatch=True) if patterns else _TEXT,
    }
    if kind is int:
        return st.integers(least, most)
    if kind is float:
        return st.floats(least, most, allow_nan=False, allow_infinity=False)
    if kind in plain:
        return plain[kind]
    above = _limit(limits, Gt, None)
    return st.decimals(least, most, allow_nan=False, places=6).filter(
        lambda value: above is None or value > above
    )


def _unfolded(metadata: Iterable[Any]) -> list[Any]:
    """What a ``Field`` within ``Annotated`` stands for."""
    found: list[Any] = []
    for each in metadata:
        found += each.metadata if isinstance(each, FieldInfo) else [each]
    return found


def _limit(limits: list[Any], kind: type[Any], default: Any) -> Any:
    names = {Ge: "ge", Gt: "gt", Le: "le", MinLen: "min_length"}
    found = [getattr(each, names[kind]) for each in limits if isinstance(each, kind)]
    return found[0] if found else default
