"""``stratal dataset``: labelled rows to learn from and to judge on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from json import dumps
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
    ProgramName,
    Time,
    at,
    json_object,
)
from infrastructure.cli.output import moment, people, say, show_json, show_pairs, show_table
from infrastructure.client import Stratal, StratalProblem

FORMATS = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".csv": "text/csv",
}
MOST_LABELS = 6
"""A field with more values than this is free text: none of them is shown."""
SHOWN = 80
"""Of a longer row only the beginning is shown."""

RowName = Annotated[str, typer.Argument(help="Id of a row, such as 2-15.", metavar="ROW")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit trail.")]


@dataclass(frozen=True, slots=True)
class DatasetCommands:
    """The verbs of ``stratal dataset``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Labelled rows.")
        verbs.command()(self.load)
        verbs.command("from-executions")(self.from_executions)
        verbs.command()(self.show)
        verbs.command()(self.duplicates)
        rows = typer.Typer(no_args_is_help=True, help="Single rows: list, replace, remove.")
        rows.command()(self.list)
        rows.command()(self.replace)
        rows.command()(self.remove)
        verbs.add_typer(rows, name="row")
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
        send = partial(client.send, rows, content, content_type=form, split=split)
        _tell(_into_dataset(client, name, send), file.name, name, split, as_json=json)

    def from_executions(
        self,
        name: Annotated[str, typer.Argument(help="A new name, or a dataset that is there.")],
        program: ProgramName,
        *,
        split: Annotated[str, typer.Option(help="train or heldout.")] = "train",
        version: Annotated[int | None, typer.Option(help="Only those of a version.")] = None,
        actor: Annotated[str | None, typer.Option(help="Only those that they requested.")] = None,
        since: Time = None,
        until: Time = None,
        tokens_above: Annotated[
            int | None, typer.Option(help="Only those that took more tokens than that.")
        ] = None,
        limit: Annotated[
            int | None, typer.Option(help="The newest so many; 100 if left out.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Load what completed executions took and gave; each row names its execution.

        The dataset is created when it is not there.
        """
        client = self.connect()
        load = partial(
            client.datasets.load_executions,
            *(name, client.programs.get(program)["program_id"]),
            split=split,
            program_version=version,
            actor=actor,
            since=since,
            until=until,
            tokens_above=tokens_above,
            limit=limit,
        )
        done = _into_dataset(client, name, load)
        _tell(done, f"{done['rows']} executions", name, split, as_json=json)

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

    def duplicates(self, dataset: DatasetName, *, as_of: AsOf = None, json: Json = False) -> None:
        """Show rows that say the same: repeated within a part, or leaking into the other one."""
        found = self.connect().datasets.duplicates(dataset, as_of=as_of)
        if json:
            show_json(found)
            return
        repeats, leaks = found["repeated"], found["leaked"]
        say(f"{found['rows']} rows: {repeats} repeat another, {leaks} held-out ones leak.")
        if found["groups"]:
            columns = ["content", "rows", "parts", "leaks", "which"]
            show_table(columns, list(_groups(found["groups"])))

    def list(
        self,
        dataset: DatasetName,
        *,
        split: Annotated[str | None, typer.Option(help="train or heldout; else both.")] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """List the rows with their ids, which the other verbs take."""
        rows = self.connect().datasets.rows(dataset, split=split, as_of=as_of)
        if json:
            show_json({"items": [*rows]})
            return
        columns = ["row", "part", "content", "values"]
        show_table(
            columns,
            [
                [it["row"], it["split"], it["content_hash"][:12], _short(it["values"])]
                for it in rows
            ],
        )

    def replace(
        self,
        dataset: DatasetName,
        row: RowName,
        content: Annotated[str, typer.Argument(help="The whole row, as a JSON object.")],
        *,
        reason: Reason = None,
        json: Json = False,
    ) -> None:
        """Give a row another content. What was scored or learned before stays as it was."""
        said = json_object("CONTENT", content)
        done = self.connect().datasets.replace_row(dataset, row, said, reason=reason)
        so = "" if done["position"] else " It says that already."
        show_json(done) if json else say(f"Replaced row {row} of {dataset}.{so}")

    def remove(
        self, dataset: DatasetName, row: RowName, *, reason: Reason = None, json: Json = False
    ) -> None:
        """Take a row out. What was scored or learned before stays as it was."""
        done = self.connect().datasets.remove_row(dataset, row, reason=reason)
        so = "" if done["position"] else " It was gone already."
        show_json(done) if json else say(f"Removed row {row} of {dataset}.{so}")


def _into_dataset(client: Stratal, name: str, load: Callable[[], Data]) -> Data:
    """What *load* did, once there is a dataset called *name*."""
    try:
        return load()
    except StratalProblem as problem:
        if problem.code != "not_found":
            raise
    client.datasets.create(name, purpose="custom")
    return load()


def _tell(done: Data, what: str, name: str, split: str, *, as_json: bool) -> None:
    if as_json:
        show_json(done)
        return
    say(f"Loaded {what} into {name} ({split}).{_had_already(done)}")
    if done["repeated"] or done["leaked"]:
        say(f"See stratal dataset duplicates {name}.")


def _had_already(done: Data) -> str:
    told = [
        *([f"{done['repeated']} of its rows were there already"] if done["repeated"] else []),
        *([f"{done['leaked']} are in the other part, too"] if done["leaked"] else []),
    ]
    return f" {', and '.join(told).capitalize()}." if told else ""


def _groups(groups: Sequence[Data]) -> Iterator[Sequence[object]]:
    for each in groups:
        more = each["count"] - len(each["rows"])
        which = ", ".join(each["rows"]) + (f" and {more} more" if more else "")
        leaks = "yes" if each["leaks"] else ""
        yield [each["content_hash"][:12], each["count"], ", ".join(each["splits"]), leaks, which]


def _short(values: Data) -> str:
    text = dumps(values, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


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
