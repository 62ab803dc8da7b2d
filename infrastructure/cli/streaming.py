"""An execution as it goes, on a terminal or as lines of JSON."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from infrastructure.cli.executions import show_end
from infrastructure.cli.output import errors, people

Moment = Mapping[str, Any]


def show_streamed(moments: Iterable[Moment], *, as_json: bool) -> str:
    """Print each of *moments* as it comes; returns the state in which they end."""
    state, shown = "pending", _Shown()
    for moment in moments:
        if moment["event"] == "state":
            state = str(moment["status"])
        if as_json:
            sys.stdout.write(json.dumps(moment, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            shown.show(moment)
    return state


class _Shown:
    """What is on the terminal: the texts of models, each beneath its name."""

    def __init__(self) -> None:
        self._under: tuple[str, str] | None = None

    def show(self, moment: Moment) -> None:
        """Go on with *moment*."""
        match moment["event"]:
            case "chunk":
                self._show_text(moment)
            case "node" if moment["failure"] is not None:
                self._end_line()
                errors.print(f"{moment['node']}: {moment['failure']['message']}", markup=False)
            case "tool":
                self._end_line()
                people.print(f"{moment['node']} called {moment['tool']}", style="dim", markup=False)
            case "state" if moment["finished_at"] is not None:
                self._end_line()
                show_end(dict(moment))
            case _:
                pass

    def _show_text(self, chunk: Moment) -> None:
        under = (chunk["call"], chunk["field"])
        if under != self._under or chunk["offset"] == 0:
            self._end_line()
            people.print(f"{chunk['node']}.{chunk['field']}", style="dim", markup=False)
            self._under = under
        people.out(chunk["text"], end="", highlight=False)
        people.file.flush()

    def _end_line(self) -> None:
        if self._under is not None:
            people.out("")
            self._under = None
