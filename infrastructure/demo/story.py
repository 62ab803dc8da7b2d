"""The demo's story over the API: one program from signature to audited, replayed execution.

Every write carries an Idempotency-Key made of the task and the step, so a second run repeats the
same commands and the service answers from the first one's receipts: nothing is created twice, and
what was interrupted goes on.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from infrastructure.client import Stratal
from infrastructure.demo.task import Task
from infrastructure.demo.telling import Teller

LONGEST_RUN_S = 1800.0
LOOK_S = 0.3
LONGEST_SLUG = 30
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
        self.program = f"{task.name}-{_slug(model)}-{task.edition}"
        self._dataset = f"{task.name}-{task.edition}"
        self._ids: list[str] = []
        self._head = 0

    def tell(self) -> None:
        """Do all of it; a step whose run ends badly raises ``DemoFailed``."""
        self._head = max(
            (each["position"] + each["behind"] for each in self._api.readiness()["projections"]),
            default=0,
        )
        self._write_program()
        self._load_dataset()
        with self._teller.step("Execute version 1"):
            self._execute("execute-1", version=1)
        with self._teller.step("Score version 1 on the held-out rows"):
            first = self._evaluate(1)
        second = self._optimize()
        live = self._deploy(first, second)
        with self._teller.step(f"Execute the live version, {live}"):
            ran = self._execute("execute-live", version=None)
        self._replay(ran)
        self._audit()
        self._usage()

    def _write_program(self) -> None:
        with self._teller.step("Compile a signature and create a program from it"):
            compiled = self._api.signatures.compile(self._task.signature)
            self._teller.say(f"signature  {compiled['syntax']}")
            module = {"kind": self._task.kind, "signature_syntax": self._task.signature}
            body = {"name": self.program, "modules": [module]}
            is_old = self._is_old(self._post("/v1/programs", body, "create")["id"])
            what = f"program    {self.program}, version 1: one {self._task.kind} module"
            self._teller.say(what, is_old=is_old)

    def _load_dataset(self) -> None:
        with self._teller.step("Load a small labelled dataset"):
            body = {"name": self._dataset, "purpose": "custom"}
            is_old = self._is_old(self._post("/v1/datasets", body, self._dataset)["id"])
            self._teller.say(f"dataset    {self._dataset}", is_old=is_old)
            for split in ("train", "heldout"):
                rows, key = self._task.rows(split), f"demo-{self._dataset}-{split}"
                done = self._api.datasets.load(self._dataset, rows, split=split, key=key)
                was_there = done["position"] <= self._head
                self._teller.say(f"{split:<8}   {len(rows)} rows", is_old=was_there)

    def _execute(self, step: str, *, version: int | None) -> dict[str, Any]:
        body = {"inputs": self._task.question, "program_version": version, "wait": 0}
        ran, is_old = self._completed("executions", "execute", body, step)
        asked = ", ".join(self._task.question.values())
        answered = ", ".join(f"{name}={value!r}" for name, value in ran["outputs"].items())
        took = f"{ran['duration_ms']:.0f} ms, execution {ran['execution_id']}"
        self._teller.say(f"asked     {asked!r}")
        self._teller.say(f"answered  {answered}  ({took})", is_old=is_old)
        return ran

    def _evaluate(self, version: int) -> Scored:
        body = {
            "dataset": self._dataset,
            "metric": self._task.metric,
            "split": "heldout",
            "program_version": version,
        }
        ended, is_old = self._completed("evaluations", "evaluate", body, f"evaluate-{version}")
        rows, score = ended["dataset_rows"], ended["score"]
        self._teller.say(
            f"version {version} scores {score:.1%} on {rows} held-out rows", is_old=is_old
        )
        return Scored(version, ended["evaluation_id"], score, rows)

    def _optimize(self) -> Scored:
        with self._teller.step(f"Optimize with {self._task.optimizer} in the background"):
            body = {
                "dataset": self._dataset,
                "metric": self._task.metric,
                "optimizer": self._task.optimizer,
                "config": self._task.config,
                "program_version": 1,
            }
            ended, is_old = self._completed("optimizations", "compile", body, "optimize")
            version, calls = ended["adopted_version"], ended["spend"]["calls"]
            self._teller.say(f"compiled version {version} after {calls} calls", is_old=is_old)
        with self._teller.step(f"Score version {version} on the same rows"):
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
            done = self._post(f"/v1/programs/{self.program}/deploy", body, "deploy")
            self._teller.say(reason, is_old=done["position"] <= self._head)
        return better.version

    def _replay(self, ran: Mapping[str, Any]) -> None:
        with self._teller.step("Replay that execution from the log, the model switched off"):
            path = f"/v1/executions/{ran['execution_id']}"
            is_old = bool(self._api.get(path)["replays"])
            verdict = self._api.post(
                f"{path}/replay", key=self._key("replay", ran["execution_id"]), params={"wait": 60}
            )
            if verdict["outcome"] != "verified":
                why = verdict["failure"]["message"] if verdict["failure"] else "Try again."
                raise DemoFailed(f"The replay is {verdict['outcome']}: {why}")
            answered = verdict["answered_from_log"]
            self._teller.say(
                f"model calls 0, answered from the log {answered}, outputs equal", is_old=is_old
            )

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
                self._teller.say(f"{each['position']:>5}  {_brief(each['sentence'])}")

    def _usage(self) -> None:
        with self._teller.step("Add up what it cost"):
            program = self._api.programs.get(self.program)["program_id"]
            usage = self._api.usage(program_id=program)
            columns = ["    model calls of", "calls", "tokens in", "tokens out", "US dollars"]
            rows = [
                [f"    {each['run']}, {each['role']}", *_figures(each)] for each in usage["items"]
            ]
            self._teller.table(columns, [*rows, ["    all", *_figures(usage["total"])]])

    def _until_projected(self) -> None:
        """Wait for what the worker appended last: only our own writes are waited for by reads."""
        while any(each["behind"] for each in self._api.readiness()["projections"]):
            time.sleep(0.05)

    def _completed(
        self, kind: str, verb: str, body: Mapping[str, object], step: str, attempt: int = 1
    ) -> tuple[dict[str, Any], bool]:
        """A run that came to a good end, and whether it had begun before this story.

        One that ended badly in an earlier story is asked for again; in this one it is the end.
        """
        path = f"/v1/programs/{self.program}/{verb}"
        started = self._post(path, body, f"{step}-{attempt}")
        run_id = started["execution_id"] if kind == "executions" else started["id"]
        is_old = self._is_old(run_id)
        state: dict[str, Any] = {}
        for state in self._states(kind, run_id):
            self._teller.now(_progress(state))
        if state["status"] == "completed":
            return state, is_old
        if is_old:
            return self._completed(kind, verb, body, step, attempt + 1)
        why = state["failure"]["message"] if state["failure"] else "Somebody called it off."
        raise DemoFailed(f"A run ended as {state['status']}: {why}")

    def _states(self, kind: str, id: str) -> Iterator[dict[str, Any]]:
        """The run again and again until nothing more comes; each trial is told as it comes."""
        deadline_s = time.monotonic() + LONGEST_RUN_S
        told = 0
        while time.monotonic() < deadline_s:
            state = self._api.get(f"/v1/{kind}/{id}")
            for trial in state.get("trial_list", [])[told:]:
                told += 1
                self._teller.say(f"trial {trial['trial']:<3}  {trial['score']:6.1%} on train")
            yield state
            if state["status"] in ENDED and not _is_awaited(state):
                return
            time.sleep(LOOK_S)
        raise DemoFailed(f"A run has not ended within {LONGEST_RUN_S:.0f} s. Run the demo again.")

    def _post(self, path: str, body: Mapping[str, object], step: str) -> dict[str, Any]:
        return self._api.post(path, body, key=self._key(step, json.dumps(body, sort_keys=True)))

    def _key(self, step: str, content: str) -> str:
        return f"demo-{self.program}-{step}-{sha256(content.encode()).hexdigest()[:12]}"

    def _is_old(self, id: str) -> bool:
        """Whether the thing was there when the story began. Its audit trail will be told."""
        self._ids.append(id)
        first = next(self._api.audit(aggregate_id=id, order="oldest", limit=1))
        return int(first["position"]) <= self._head


def _is_awaited(state: Mapping[str, Any]) -> bool:
    """Whether what a completed optimization found becomes a version in a moment."""
    return state["status"] == "completed" and state.get("adopted_version", 0) is None


def _progress(state: Mapping[str, Any]) -> str:
    if state["status"] == "pending":
        return "waiting for a worker"
    calls = (state.get("spend") or state["token_usage"])["calls"]
    if calls == 0:
        return "the model loads at the first call"
    best = state.get("best_score")
    return f"{calls} model calls" + ("" if best is None else f", best {best:.1%}")


def _brief(sentence: str) -> str:
    """An audit sentence without when, for whom and by which command."""
    return sentence.rpartition(" (")[0] + "." if sentence.endswith(").") else sentence


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
    """A short name for *model*, another for another."""
    letters = "".join(each if each.isalnum() else "-" for each in model.lower())
    if len(letters) <= LONGEST_SLUG:
        return letters
    return f"{letters[:12].strip('-')}-{sha256(model.encode()).hexdigest()[:8]}"
