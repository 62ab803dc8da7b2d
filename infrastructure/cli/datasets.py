"""``stratal dataset``: labelled rows to learn from and to judge on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.connection import (
    AsOf,
    Connect,
    Data,
    DatasetName,
    InputIsUnusable,
    Json,
    at,
)
from infrastructure.cli.output import moment, people, say, show_json, show_pairs, show_table
from infrastructure.client import StratalProblem

FORMATS = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".csv": "text/csv",
}
MOST_LABELS = 6
"""A field with more values than this is free text: none of them is shown."""


@dataclass(frozen=True, slots=True)
class DatasetCommands:
    """The verbs of ``stratal dataset``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Labelled rows.")
        verbs.command()(self.load)
        verbs.command()(self.show)
        return verbs

    def load(
        self,
        name: Annotated[str, typer.Argument(help="A new name, or a dataset that is there.")],
        file: Annotated[Path, typer.Argument(help=".jsonl, .json or .csv")],
        *,
        split: Annotated[str, typer.Option(help="train or heldout.")] = "train",
        json: Json = False,
    ) -> None:
        """Load the rows of a file into a dataset; it is created when it is not there.

        All rows go into one part; a field of the rows that is called split is a field like others.
        """
        form, content = _read(file)
        client, rows = self.connect(), at("datasets", name, "rows")
        try:
            done = client.send(rows, content, content_type=form, split=split)
        except StratalProblem as problem:
            if problem.code != "not_found":
                raise
            client.datasets.create(name, purpose="custom")
            done = client.send(rows, content, content_type=form, split=split)
        show_json(done) if json else say(f"Loaded {file.name} into {name} ({split}).")

    def show(self, dataset: DatasetName, *, as_of: AsOf = None, json: Json = False) -> None:
        """Show a dataset and the statistics of its rows."""
        client = self.connect()
        found = client.datasets.get(dataset, as_of=as_of)
        statistics = client.datasets.statistics(dataset, as_of=as_of)
        if json:
            show_json({**found, "statistics": statistics})
            return
        pairs = {
            "dataset": found["name"],
            "id": found["dataset_id"],
            "description": found["description"],
            "rows": f"{found['train_rows']} train, {found['heldout_rows']} heldout",
            "duplicates": statistics["duplicates"] or "none",
            "created": f"{moment(found['created_at'])} by {found['created_by']}",
        }
        show_pairs({name: value for name, value in pairs.items() if value is not None})
        if statistics["fields"]:
            people.print()
            columns = ["field", "rows", "null %", "shortest", "mean", "longest 5 %", "values"]
            show_table(columns, list(_rows(statistics["fields"])))


def _read(file: Path) -> tuple[str, bytes]:
    """The media type and the content of *file*."""
    if (form := FORMATS.get(file.suffix.lower())) is None:
        raise InputIsUnusable(f"{file} is none of {', '.join(FORMATS)}. Give it such a name.")
    try:
        return form, file.read_bytes()
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None


def _rows(fields: Data) -> Iterator[list[object]]:
    for name, of in fields.items():
        labels: dict[str, int] = of["labels"] or {}
        few = 0 < len(labels) <= MOST_LABELS
        mean = of["length_mean"]
        yield [
            name,
            of["present"],
            round(100 * of["null_rate"], 1),
            of["length_min"],
            None if mean is None else round(mean, 1),
            of["length_p95"],
            ", ".join(f"{label} {count}" for label, count in labels.items()) if few else None,
        ]
