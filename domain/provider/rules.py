"""What the parts of a provider have to be, of each kind."""

from collections.abc import Iterator, Sequence

from domain.errors import Fault
from domain.provider.values import STANDARDS, OfferedModel, ProviderKind
from domain.routing import named_route
from domain.tool.rules import url_faults


def models_of(kind: ProviderKind, told: Sequence[OfferedModel]) -> tuple[OfferedModel, ...]:
    """The models *told*, or the one that goes without saying."""
    usual = STANDARDS[kind].model
    return tuple(told) if told or usual is None else (OfferedModel(name=usual),)


def name_faults(name: str) -> Iterator[Fault]:
    """What keeps a model from being named by the *name* of its provider."""
    if named_route(name) is not None:
        message = "A name that begins with route: is that of a route. Choose another one."
        yield Fault("/name", "provider.name", message)


def provider_faults(
    kind: ProviderKind, base_url: str | None, secret: str | None, models: Sequence[OfferedModel]
) -> Iterator[Fault]:
    """Everything that keeps such a provider from being asked."""
    yield from _address_faults(kind, base_url)
    yield from _secret_faults(kind, secret)
    yield from _model_faults(kind, models)


def _address_faults(kind: ProviderKind, base_url: str | None) -> Iterator[Fault]:
    standard = STANDARDS[kind]
    if base_url is not None:
        if standard.is_here:
            message = f"A provider of the kind {kind} has no address: leave base_url out."
            yield Fault("/base_url", "provider.address", message)
        else:
            yield from url_faults(base_url, "/base_url")
    elif standard.address is None and not standard.is_here:
        message = f"Say where a provider of the kind {kind} is: base_url."
        yield Fault("/base_url", "provider.address", message)


def _secret_faults(kind: ProviderKind, secret: str | None) -> Iterator[Fault]:
    standard = STANDARDS[kind]
    if secret is not None and standard.is_here:
        message = f"A provider of the kind {kind} needs no key: leave secret out."
        yield Fault("/secret", "provider.secret", message)
    elif secret is None and standard.needs_key:
        message = f"A provider of the kind {kind} needs a key: name it as secret, env:NAME."
        yield Fault("/secret", "provider.secret", message)


def _model_faults(kind: ProviderKind, models: Sequence[OfferedModel]) -> Iterator[Fault]:
    if not models:
        message = f"Name a model at least: which ones a provider of the kind {kind} has differs."
        yield Fault("/models", "provider.models", message)
    seen = set[str]()
    for index, model in enumerate(models):
        pointer = f"/models/{index}/name"
        if model.name in seen:
            message = f"The model {model.name} is named twice. Leave one out."
            yield Fault(pointer, "provider.models", message)
        seen.add(model.name)
        if kind is ProviderKind.LOCAL and ("/" in model.name or model.name.endswith(".gguf")):
            message = "A local model is named, not a file. See which there are: stratal doctor."
            yield Fault(pointer, "provider.models", message)
