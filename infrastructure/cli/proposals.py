"""``stratal proposal``: what optimizers found and somebody has to approve."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.comparisons import show_changes
from infrastructure.cli.connection import Connect, Data, Json
from infrastructure.cli.output import figure, people, say, show_json, show_pairs, show_table

Optimization = Annotated[
    str, typer.Argument(help="Id of the optimization that found it.", metavar="OPTIMIZATION")
]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit trail.")]


@dataclass(frozen=True, slots=True)
class ProposalCommands:
    """The verbs of ``stratal proposal``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What optimizers found and propose.")
        verbs.command()(self.list)
        verbs.command()(self.show)
        verbs.command()(self.approve)
        verbs.command()(self.reject)
        return verbs

    def list(
        self,
        *,
        status: Annotated[str, typer.Option(help="open, approved or rejected.")] = "open",
        json: Json = False,
    ) -> None:
        """List what waits for approval, newest first."""
        found = self.connect().optimizations.list(proposal=status)
        if json:
            show_json({"items": [*found]})
            return
        columns = ["proposal", "of version", "metric", "held out", "before", "found", "decided by"]
        show_table(columns, [*_rows(found)])

    def show(self, optimization: Optimization, *, json: Json = False) -> None:
        """Show what a proposal scores on rows it did not learn from, and what it changes."""
        found = self.connect().optimizations.proposal(optimization)
        if json:
            show_json(found)
            return
        show_pairs(
            {
                "proposal": f"{found['optimization_id']} ({found['status']})",
                "program": found["program_id"],
                "base": f"version {found['base_version']} of {found['latest_version']}",
                "held out": _heldout(found),
                "in training": figure(found["training_score"]),
            }
        )
        people.print()
        show_changes(found["changes"])

    def approve(
        self, optimization: Optimization, *, reason: Reason = None, json: Json = False
    ) -> None:
        """Let a proposal become the next version of its program."""
        done = self.connect().optimizations.approve(optimization, reason)
        show_json(done) if json else say(f"Approved {optimization}: it becomes a version now.")

    def reject(
        self, optimization: Optimization, *, reason: Reason = None, json: Json = False
    ) -> None:
        """Let no version come of a proposal."""
        done = self.connect().optimizations.reject(optimization, reason)
        show_json(done) if json else say(f"Rejected {optimization}: no version comes of it.")


def _heldout(found: Data) -> str:
    if (scores := found["heldout"]) is None:
        return "not scored: the dataset has no held-out rows"
    before, now = figure(scores["baseline"]), figure(scores["score"])
    return f"{now} by {found['metric']} on {scores['rows']} row(s), where its base has {before}"


def _rows(found: Iterator[Data]) -> Iterator[list[object]]:
    for each in found:
        scores = each["heldout"] or {"rows": None, "baseline": None, "score": None}
        yield [
            each["optimization_id"],
            each["program_version"],
            each["metric"],
            scores["rows"],
            figure(scores["baseline"]),
            figure(scores["score"]),
            each["decided_by"],
        ]
