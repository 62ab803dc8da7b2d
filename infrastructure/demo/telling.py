"""How the demo tells its story: numbered steps, what they found, and the time each one took."""

import re
import textwrap
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

WIDTH = 110
_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class Teller:
    """Prints steps as they go.

    A terminal sees what is under way; where there is none, it is told every ``patience_s``.
    """

    def __init__(self, console: Console | None = None, *, patience_s: float = 10.0) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._patience_s = patience_s
        self._number = 0
        self._status: Status | None = None
        self._told_s = 0.0

    @contextmanager
    def step(self, title: str) -> Generator[None, None, None]:
        """Number a step, name it, run it, and say how long it took."""
        self._number += 1
        began_s = self._told_s = time.monotonic()
        self.console.print(f"[bold]{self._number:>2}  {escape(title)}[/bold]")
        try:
            with self._watched():
                yield
        finally:
            self._status = None
        self.console.print(f"    [dim]{time.monotonic() - began_s:.1f} s[/dim]")

    def _watched(self) -> AbstractContextManager[object]:
        if not self.console.is_terminal:
            return nullcontext()
        self._status = self.console.status("")
        return self._status

    def now(self, what: str) -> None:
        """Say what the present step is doing, where somebody watches or has waited for long."""
        if self._status is not None:
            self._status.update(escape(what))
        elif time.monotonic() - self._told_s >= self._patience_s:
            self.say(f"… {what}")

    def say(self, line: str, *, is_old: bool = False) -> None:
        """A line beneath the present step's heading; ids are cut to their first eight letters."""
        told = _ID.sub(r"\1", line) + (" (as before)" if is_old else "")
        indent = " " * (4 + len(told) - len(told.lstrip()))
        for part in textwrap.wrap(
            told,
            WIDTH,
            initial_indent="    ",
            subsequent_indent=indent + "    ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            self.console.print(part, markup=False)
        self._told_s = time.monotonic()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; every column but the first is of figures."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print(table)
