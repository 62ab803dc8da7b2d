"""Strategies that build any event of the product, and any envelope, from their fields alone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, JsonValue
from pydantic.fields import FieldInfo

from domain.budget.values import Cover
from domain.kernel import Envelope, Event
from domain.module.kinds import ModuleKind
from domain.module.parameters import PARAMETERS
from domain.module.values import ModuleConfig, ModuleSpec
from domain.provider.values import SecretRef
from domain.signature.fields import SignatureSpec
from domain.text import Name
from infrastructure.eventstore.topics import EVENTS

M = TypeVar("M", bound=BaseModel)

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
_TEXT = st.text(_CHARACTERS, max_size=8)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_REFERENCE = get_args(SecretRef)[1]
_IS_NAME = get_args(Name)[-1]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _FLOATS | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


def events(kind: type[Event] | None = None) -> st.SearchStrategy[Event]:
    """Any event, or any of one *kind*."""
    if kind is not None:
        return _model(kind)
    return st.sampled_from(sorted(EVENTS)).flatmap(lambda topic: _model(EVENTS[topic]))


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
        ).map(lambda values: kind(**values))

    return st.deferred(fields)


def _covers() -> st.SearchStrategy[Cover]:
    """Of a tenant nothing is named; a program is named by its id."""
    names = st.builds(Cover, kind=st.just("actor"), of=_TEXT.filter(bool))
    ids = st.builds(Cover, kind=st.just("program"), of=st.uuids().map(str))
    return st.just(Cover()) | ids | names


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
        items = st.lists(_value(arguments[0]), min_size=_limit(limits, "min_length", 0), max_size=2)
        return items.map(tuple)
    if origin is dict:
        return st.dictionaries(_value(arguments[0]), _value(arguments[1]), max_size=2)
    return _plain(kind, limits)


def _plain(kind: Any, limits: list[Any]) -> st.SearchStrategy[Any]:
    if kind is ModuleSpec:
        return _modules()
    if kind is Cover:
        return _covers()
    if issubclass(kind, BaseModel):
        return _model(kind)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if kind is str:
        return _texts(limits)
    if kind in (int, float):
        return _numbers(kind, limits)
    if kind is Decimal:
        # Money: none is below zero, and so many digits of it are kept.
        most = 10 ** _limit(limits, "max_digits", 18) - 1
        return st.integers(int(_limit(limits, "gt", -1)) + 1, most).map(_nano)
    if kind in (datetime, AwareDatetime):
        return _times(limits)
    plain: dict[type, st.SearchStrategy[Any]] = {
        NoneType: st.none(),
        bool: st.booleans(),
        UUID: st.uuids(),
    }
    return plain[kind]


def _times(limits: list[Any]) -> st.SearchStrategy[datetime]:
    first = _limit(limits, "ge", datetime(1, 1, 1, tzinfo=UTC))
    end = _limit(limits, "lt", datetime(9999, 12, 31, tzinfo=UTC)) - timedelta(microseconds=1)
    within = first.replace(tzinfo=None), end.replace(tzinfo=None)
    return st.datetimes(*within, timezones=st.just(UTC))


def _texts(limits: list[Any]) -> st.SearchStrategy[str]:
    if _REFERENCE in limits:
        return st.from_regex("env:[A-Z][A-Z0-9_]{0,9}", fullmatch=True)
    if _IS_NAME in limits:
        return st.from_regex("[a-z][a-z0-9_]{0,7}", fullmatch=True)
    pattern = _limit(limits, "pattern", None)
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True)
    return st.text(_CHARACTERS, min_size=_limit(limits, "min_length", 0), max_size=8)


def _numbers(kind: type[int] | type[float], limits: list[Any]) -> st.SearchStrategy[float]:
    above, most = _limit(limits, "gt", None), _limit(limits, "le", None)
    least = _limit(limits, "ge", above)
    if kind is int:
        return st.integers(least if above is None else above + 1, most)
    below = _limit(limits, "lt", None)
    return st.floats(
        least,
        most if below is None else below,
        exclude_min=above is not None,
        exclude_max=below is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def _nano(count: int) -> Decimal:
    """An amount of *count* milliardths."""
    return Decimal(count).scaleb(-9)


def _unfolded(metadata: Iterable[Any]) -> list[Any]:
    """What a ``Field`` within ``Annotated`` stands for."""
    found: list[Any] = []
    for each in metadata:
        found += each.metadata if isinstance(each, FieldInfo) else [each]
    return found


def _limit(limits: list[Any], name: str, default: Any) -> Any:
    found = [getattr(each, name, None) for each in limits]
    return next((each for each in found if each is not None), default)
