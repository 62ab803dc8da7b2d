"""The circuits that this process has, by model, for whoever watches them."""

from collections.abc import Iterator
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from application.circuits import Circuit, CircuitState


class Circuits:
    """Circuits in use: one that nobody holds any more is forgotten by itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._watched: WeakKeyDictionary[Circuit, str] = WeakKeyDictionary()

    def watch(self, circuit: Circuit, model: str) -> None:
        """Have *circuit*, which is that of *model*, among the others."""
        with self._lock:
            self._watched[circuit] = model

    def states(self) -> Iterator[tuple[str, CircuitState]]:
        """How every circuit stands now, with its model."""
        with self._lock:
            watched = list(self._watched.items())
        for circuit, model in watched:
            yield model, circuit.state


CIRCUITS: Final = Circuits()
"""Those of this process."""
