"""The demo's story over the API: one program from signature to audited, replayed execution.

Every write carries an Idempotency-Key made of the task and the step, so a second run repeats the
same commands and the service answers from the first one's receipts: nothing is created twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import sleep
from typing import Any

from infrastructure.client import Stratal
from infrastructure.demo.task import Task
from infrastructure.demo.telling import Teller

LONGEST_RUN_S = 1800.0
ENDED = frozenset({"completed", "failed", "cancelled"})


class DemoFailed(Exception):
    """A run of the demo ended badly; the message says how."""

    code = "demo.failed"


@dataclass(frozen=True, slots=True)
class Scored:
    """A version and its score on the held-out rows."""

    version: int
    evaluation_id: str
    score: float
    rows: int


class Story:
    """Tells the story of *task* with *model* to *teller*."""

    def __init__(self, api: Stratal, task: Task, model: str, teller: Teller) -> None:
        self._api, self._task, self._teller = api, task, teller
        self._program = f"{task.name}-{_slug(model)}-{task.edition}"
        self._dataset = f"{task.name}-{task.edition}"
        self._ids: list[str] = []

    def tell(self) -> None:
        """Do all of it; a step whose run ends badly raises ``DemoFailed``."""
        self._write_program()
        self._load_dataset()
        first = self._first_version()
        second = self._optimize()
        live = self._deploy(first, second)
        self._replay(self._execute_live(live))
        self._audit()
        self._usage()

    def _write_program(self) -> None:
        with self._teller.step("Compile a signature and create a program from it"):
            compiled = self._api.signatures.compile(self._task.signature)
            module = {"kind": self._task.kind, "signature_syntax": self._task.signature}
            body = {"name": self._program, "modules": [module]}
            self._teller.say(f"signature  {compiled['syntax']}")
            self._note(self._post("/v1/programs", body, self._program))
            self._teller.say(f"program    {self._program}, version 1: one {self._task.kind} module")

    def _load_dataset(self) -> None:
        with self._teller.step("Load a small labelled dataset"):
            body = {"name": self._dataset, "purpose": "custom"}
            self._note(self._post("/v1/datasets", body, self._dataset))
            for split in ("train", "heldout"):
                rows = self._task.rows(split)
                self._api.datasets.load(self._dataset, rows, split=split, key=self._key(split))
                self._teller.say(f"{split:<8}   {len(rows)} rows")

    def _first_version(self) -> Scored:
        with self._teller.step("Execute version 1, then score it on the held-out rows"):
            self._teller.now("Execute version 1 (the model loads on the first call)")
            self._run("execute-1", version=1)
            return self._evaluate(1)

    def _optimize(self) -> Scored:
        with self._teller.step(f"Optimize with {self._task.optimizer} in the background"):
            body = {
                "dataset": self._dataset,
                "metric": self._task.metric,
                "optimizer": self._task.optimizer,
                "config": self._task.config,
                "program_version": 1,
            }
            path = f"/v1/programs/{self._program}/compile"
            started = self._note(self._post(path, body, "optimize"))
            ended = self._followed(started["id"])
            for trial in ended["trial_list"]:
                self._teller.say(f"trial {trial['trial']:<3}  {trial['score']:6.1%} on train")
            version = ended["adopted_version"]
            self._teller.say(f"compiled version {version} after {ended['spend']['calls']} calls")
            return self._evaluate(version)

    def _deploy(self, first: Scored, second: Scored) -> int:
        better = second if second.score > first.score else first
        with self._teller.step(f"Deploy version {better.version}"):
            reason = _reason(first, second)
            body = {
                "program_version": better.version,
                "reason": reason,
                "evidence": [first.evaluation_id, second.evaluation_id],
            }
            self._post(f"/v1/programs/{self._program}/deploy", body, "deploy")
            self._teller.say(reason)
        return better.version

    def _execute_live(self, live: int) -> dict[str, Any]:
        with self._teller.step(f"Execute the live version, {live}"):
            return self._run("execute-live", version=None)

    def _replay(self, ran: Mapping[str, Any]) -> None:
        with self._teller.step("Replay that execution from the log, the model switched off"):
            path = f"/v1/executions/{ran['execution_id']}/replay"
            verdict = self._api.post(path, key=self._key("replay"), params={"wait": 60})
            if verdict["outcome"] != "verified":
                raise DemoFailed(f"The replay did not verify: {verdict['failure']}.")
            answered = verdict["answered_from_log"]
            self._teller.say(f"model calls 0, answered from the log {answered}, outputs equal")

    def _audit(self) -> None:
        with self._teller.step("Read the audit trail"):
            self._until_projected()
            told = [
                each
                for aggregate_id in dict.fromkeys(self._ids)
                for each in self._api.audit(aggregate_id=aggregate_id)
                if not each["topic"].endswith(".lm_called")
            ]
            for each in sorted(told, key=lambda each: int(each["position"])):
                self._teller.say(f"{each['position']:>5}  {each['sentence']}")

    def _usage(self) -> None:
        with self._teller.step("Add up what it cost"):
            program = self._api.programs.get(self._program)["program_id"]
            usage = self._api.usage(program_id=program)
        columns = ["   model calls of", "calls", "tokens in", "tokens out", "US dollars"]
        rows = [[f"   {each['run']}, {each['role']}", *_figures(each)] for each in usage["items"]]
        self._teller.table(columns, [*rows, ["   all", *_figures(usage["total"])]])

    def _until_projected(self) -> None:
        """Wait for what the worker appended last: only our own writes are waited for by reads."""
        while any(each["behind"] for each in self._api.readiness()["projections"]):
            sleep(0.05)

    def _evaluate(self, version: int) -> Scored:
        body = {
            "dataset": self._dataset,
            "metric": self._task.metric,
            "split": "heldout",
            "program_version": version,
        }
        path = f"/v1/programs/{self._program}/evaluate"
        started = self._note(self._post(path, body, f"evaluate-{version}"))
        ended: dict[str, Any] = {}
        for ended in self._states("evaluations", started["id"]):
            done = ended["spend"]["calls"]
            self._teller.now(f"Score version {version} on the held-out rows: {done} calls")
        _completed(ended)
        self._teller.say(
            f"version {version} scores {ended['score']:.1%} on {ended['dataset_rows']} held-out rows"
        )
        return Scored(version, started["id"], ended["score"], ended["dataset_rows"])

    def _followed(self, id: str) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for state in self._states("optimizations", id):
            best = "" if state["best_score"] is None else f", best {state['best_score']:.1%}"
            calls = state["spend"]["calls"]
            self._teller.now(f"Optimize: {state['trials']} trials{best}, {calls} calls")
        _completed(state)
        while state["adopted_version"] is None:  # its policy makes it a version in a moment
            sleep(0.1)
            state = self._api.optimizations.get(id)
        return state

    def _states(self, kind: str, id: str) -> Iterator[dict[str, Any]]:
        runs = self._api.evaluations if kind == "evaluations" else self._api.optimizations
        return runs.follow(id, every_s=0.5)

    def _run(self, step: str, *, version: int | None) -> dict[str, Any]:
        body = {"inputs": self._task.question, "program_version": version, "wait": 120}
        ran = self._post(f"/v1/programs/{self._program}/execute", body, step)
        self._ids.append(ran["execution_id"])
        if ran["status"] != "completed":
            raise DemoFailed(f"The execution is {ran['status']}: {ran['failure']}.")
        asked = ", ".join(self._task.question.values())
        answered = ", ".join(f"{name}={value!r}" for name, value in ran["outputs"].items())
        self._teller.say(f"{asked!r} → {answered}  ({ran['duration_ms']:.0f} ms)")
        return ran

    def _post(self, path: str, body: Mapping[str, object], step: str) -> dict[str, Any]:
        return self._api.post(path, body, key=self._key(step))

    def _key(self, step: str) -> str:
        return f"demo-{self._program}-{step}"

    def _note(self, made: dict[str, Any]) -> dict[str, Any]:
        """Remember whose audit trail is to be told."""
        self._ids.append(made["id"])
        return made


def _completed(state: Mapping[str, Any]) -> None:
    if state["status"] != "completed":
        raise DemoFailed(f"A run ended as {state['status']}: {state['failure']}.")


def _reason(first: Scored, second: Scored) -> str:
    scores = (
        f"version {first.version} scored {first.score:.1%} and version {second.version} "
        f"{second.score:.1%} on the same {first.rows} held-out rows"
    )
    if second.score > first.score:
        return f"Version {second.version} is better: {scores}."
    return f"Optimization brought no gain, so version {first.version} stays: {scores}."


def _figures(sums: Mapping[str, Any]) -> list[str]:
    unknown = sums["calls_with_unknown_cost"]
    cost = f"{sums['cost_usd']}" + (f" + {unknown} unknown" if unknown else "")
    tokens = [f"{sums[name]:,}" for name in ("prompt_tokens", "completion_tokens")]
    return [f"{sums['calls']:,}", *tokens, cost]


def _slug(model: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in model.lower()).strip("-")
