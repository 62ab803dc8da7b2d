"""The list of programs as a stranger makes it of the public feed: JSON in, JSON out."""

from typing import Any

Fact = dict[str, Any]


class ProgramList:
    """Follows ``program.*``; ``rows`` are what ``GET /v1/programs`` lists, newest first."""

    def __init__(self) -> None:
        self._programs: dict[str, Fact] = {}
        self._graphs: dict[str, list[Fact]] = {}
        self.position = 0

    def take(self, fact: Fact) -> None:
        """Learn of one fact of the feed."""
        assert fact["position"] > self.position
        self.position = fact["position"]
        kind, _, happened = fact["topic"].partition(".")
        assert kind == "program"
        if happened == "created":
            self._programs[fact["aggregate_id"]] = _created(fact)
            self._graphs[fact["aggregate_id"]] = [fact["data"]["graph"]]
            return
        program = self._programs[fact["aggregate_id"]]
        program |= {"version": fact["aggregate_version"], "updated_at": fact["at"]}
        program |= _changed(happened, fact["data"], fact["at"])
        program["metrics"] |= _measured(happened, fact["data"])
        if "new_version" in fact["data"]:
            program |= self._versioned(fact["aggregate_id"], fact["data"])

    def _versioned(self, program: str, data: Fact) -> Fact:
        graphs = self._graphs[program]
        base = data.get("restored_version") or data["base_version"]
        graphs.append(data.get("graph") or graphs[base - 1])
        return {"latest_version": data["new_version"], "graph": graphs[-1]}

    def rows(self, *, retired: bool = False) -> list[Fact]:
        """The programs that are, or those that were."""
        newest = sorted(self._programs.values(), key=lambda row: row["position"], reverse=True)
        return [row for row in newest if (row["stage"] == "retired") is retired]


def _created(fact: Fact) -> Fact:
    written = ("name", "description", "config", "graph", "default_optimizer")
    return {name: fact["data"][name] for name in written} | {
        "program_id": fact["aggregate_id"],
        "version": fact["aggregate_version"],
        "position": fact["position"],
        "stage": "draft",
        "latest_version": 1,
        "deployed_version": None,
        "metrics": {"training_score": None, "deployed_score": None},
        "created_at": fact["at"],
        "created_by": fact["actor"],
        "updated_at": fact["at"],
        "archived_at": None,
        "archived_because": None,
        "retired_at": None,
        "retired_because": None,
    }


def _changed(happened: str, data: Fact, at: str) -> Fact:
    match happened:
        case "testing_started":
            return {"stage": "testing"}
        case "renamed" | "described" | "configured":
            return data
        case "compiled" | "revised" | "version_edited" | "version_restored" | "version_imported":
            return {}
        case "archived":
            return {"archived_at": at, "archived_because": data["reason"]}
        case "restored":
            return {"archived_at": None, "archived_because": None}
        case "deployed":
            return {"stage": "production", "deployed_version": data["program_version"]}
        case "retired":
            ended = {"retired_at": at, "retired_because": data["reason"]}
            ended |= {"archived_at": None, "archived_because": None}
            return {"stage": "retired", "deployed_version": None, **ended}
        case _:
            raise AssertionError(f"Nobody told of program.{happened}.")


def _measured(happened: str, data: Fact) -> Fact:
    match happened:
        case "compiled" | "version_imported":
            return {"training_score": data["training_score"]}
        case "deployed":
            live = [
                each["score"]
                for each in data["evidence"]
                if each["version"] == data["program_version"]
            ]
            return {"deployed_score": live[-1] if live else None}
        case "retired":
            return {"deployed_score": None}
        case _:
            return {}
