"""What a client can do with datasets and their rows."""

import json
from collections.abc import Iterator, Mapping, Sequence

from infrastructure.client.resources import Api, AsOf, JsonObject, Resource


class Datasets(Resource):
    """Labelled rows to learn from and to judge on."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/datasets")

    def create(
        self,
        name: str,
        *,
        purpose: str | None = None,
        description: str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Create a dataset; load rows into it next."""
        return self._create(name=name, purpose=purpose, description=description, id=id)

    def load(
        self,
        id_or_name: str,
        rows: Sequence[Mapping[str, object]],
        *,
        split: str,
        key: str | None = None,
    ) -> JsonObject:
        """Append *rows* to the part *split*: ``train`` or ``heldout``. All or none.

        The reply counts those that ``repeated`` earlier ones, and those that ``leaked``.
        """
        content = json.dumps(list(rows), allow_nan=False).encode()
        at = self._at(id_or_name, "/rows")
        return self._api.send(at, content, content_type="application/json", key=key, split=split)

    def load_executions(
        self,
        id_or_name: str,
        program: str,
        *,
        split: str,
        program_version: int | None = None,
        actor: str | None = None,
        since: str | None = None,
        until: str | None = None,
        tokens_above: int | None = None,
        limit: int | None = None,
        key: str | None = None,
    ) -> JsonObject:
        """Append what completed executions of *program* took and gave, a row for each.

        They are the newest, 100 unless *limit* says otherwise; ``_execution_id`` names each.
        """
        asked = {
            "program": program,
            "split": split,
            "program_version": program_version,
            "actor": actor,
            "since": since,
            "until": until,
            "tokens_above": tokens_above,
            "limit": limit,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return self._api.post(self._at(id_or_name, "/rows/from-executions"), given, key=key)

    def rows(
        self, id_or_name: str, *, split: str | None = None, as_of: AsOf | None = None
    ) -> Iterator[JsonObject]:
        """Its rows in order, each with its id, part and hash."""
        return self._api.pages(self._at(id_or_name, "/rows"), split=split, as_of=as_of)

    def row(self, id_or_name: str, row: str, *, as_of: AsOf | None = None) -> JsonObject:
        """The row that is called so, as it is now."""
        return self._api.get(self._at(id_or_name, f"/rows/{row}"), as_of=as_of)

    def replace_row(
        self,
        id_or_name: str,
        row: str,
        content: Mapping[str, object],
        *,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Give *row* another content, with the same fields; what was judged stays."""
        at, why = self._at(id_or_name, f"/rows/{row}"), {"reason": reason}
        return self._api.put(at, content, params=why, expected_version=expected_version)

    def remove_row(
        self,
        id_or_name: str,
        row: str,
        *,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Take *row* out; what was judged stays."""
        at, why = self._at(id_or_name, f"/rows/{row}"), {"reason": reason}
        return self._api.delete(at, params=why, expected_version=expected_version)

    def duplicates(
        self, id_or_name: str, *, split: str | None = None, as_of: AsOf | None = None
    ) -> JsonObject:
        """Which rows say the same, and which of them leak from one part into the other."""
        at = self._at(id_or_name, "/duplicates")
        return self._api.get(at, split=split, as_of=as_of)

    def statistics(
        self, id_or_name: str, *, split: str | None = None, as_of: AsOf | None = None
    ) -> JsonObject:
        """Its rows in figures."""
        return self._api.get(self._at(id_or_name, "/statistics"), split=split, as_of=as_of)

    def fit(
        self, id_or_name: str, program: str, *, program_version: int | None = None
    ) -> JsonObject:
        """What its fields are to *program*: what lacks, and what is not used."""
        at = self._at(id_or_name, "/fit")
        return self._api.get(at, program=program, program_version=program_version)
