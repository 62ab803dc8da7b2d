"""How the demo tells its story: numbered steps with the time each one took."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table


class Teller:
    """Prints steps as they go; a terminal also sees what is under way."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._step = 0
        self._status: Status | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Number a step, run it, and say how long it took."""
        self._step += 1
        began_s = time.monotonic()
        heading = f"{self._step}  {title}"
        self._status = self.console.status(heading)
        lines: list[str] = []
        self._lines = lines
        with self._status:
            yield
        self._status = None
        took_s = time.monotonic() - began_s
        self.console.print(f"[bold]{escape(heading)}[/bold]  [dim]{took_s:.1f} s[/dim]")
        for line in lines:
            self.console.print(f"   {escape(line)}")

    def now(self, what: str) -> None:
        """Say what the present step is doing, where somebody watches."""
        if self._status is not None:
            self._status.update(f"{self._step}  {what}")

    def say(self, line: str) -> None:
        """A line beneath the present step's heading."""
        self._lines.append(line)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; every column but the first is of figures."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print(table)
