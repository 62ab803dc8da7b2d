"""What the runtime needs of a model; ``infrastructure.models`` offers it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, Protocol

from application.circuits import Circuit


class Engine(Protocol):
    """One attempt at the model, in DSPy's canonical terms."""

    @property
    def seeded(self) -> bool: ...

    @property
    def supports_response_schema(self) -> bool: ...

    @property
    def supported_params(self) -> frozenset[str]: ...

    def complete(self, request: Any) -> Any: ...


class Model(Protocol):
    """A language model ready to be asked."""

    @property
    def engine(self) -> Engine: ...

    @property
    def model(self) -> str: ...

    @property
    def adapter(self) -> Literal["json", "chat"]: ...

    @property
    def cost_of(self) -> Callable[[Any], Decimal | None]: ...

    @property
    def concurrency(self) -> int: ...

    @property
    def circuit(self) -> Circuit: ...

    @property
    def fallback(self) -> "Model | None": ...
