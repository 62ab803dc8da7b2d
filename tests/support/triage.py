"""A small task for journeys: which queue is a message for? A model that learns it from examples."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Http, until

SYNTAX: Final = "message: str -> queue: Literal['bug','billing','howto','feature']"

_SAID: Final = {
    "bug": ["It crashes on save", "It crashes at start", "It crashes when idle"],
    "billing": ["My invoice is wrong", "My invoice came twice", "My invoice is late"],
    "howto": ["Where do I find exports", "Where do I find themes", "Where do I find logs"],
    "feature": ["Please add dark mode", "Please add an API", "Please add tabs"],
}
TRAIN: Final = [
    {"message": message, "queue": queue} for queue, said in _SAID.items() for message in said[:2]
]
HELDOUT: Final = [{"message": said[2], "queue": queue} for queue, said in _SAID.items()]


class TriageLm(ScriptedLmServer):
    """Guesses the queue ``howto`` until its prompt holds examples; then it is always right."""

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        taught = len(body["messages"]) > 2
        queues = {" ".join(said[0].split()[:2]): queue for queue, said in _SAID.items()}
        others = [each for each in self.script.replies if "queue" not in each[1]]
        self.script.replies = others + [
            (words, {"queue": queue if taught else "howto"}) for words, queue in queues.items()
        ]
        return super()._answer(body)

    def asked(self) -> Counter[str]:
        """How often each request was made, by its whole text."""
        return Counter(json.dumps(body, sort_keys=True) for body in self.bodies)


@dataclass(frozen=True)
class Triage:
    """The program and the dataset of the task, made over *http*."""

    http: Http
    name: str = "triage"
    made: dict[str, Any] = field(default_factory=dict[str, Any])

    def create(self) -> "Triage":
        """Create both, with version 1 untaught."""
        modules = [{"kind": "predict", "signature_syntax": SYNTAX}]
        program = {"name": self.name, "modules": modules}
        self.made["program"] = self.http.post("/v1/programs", program)["id"]
        dataset = {"name": f"{self.name}-rows", "purpose": "training"}
        self.made["dataset"] = self.http.post("/v1/datasets", dataset)["id"]
        for split, rows in (("train", TRAIN), ("heldout", HELDOUT)):
            self.http.post(f"{self.dataset}/rows", rows, split=split)
        return self

    @property
    def program(self) -> str:
        """The path of the program."""
        return f"/v1/programs/{self.made['program']}"

    @property
    def dataset(self) -> str:
        """The path of the dataset."""
        return f"/v1/datasets/{self.made['dataset']}"

    def execute(self, message: str, *, wait: float = 30, **wish: Any) -> Any:
        """An execution on *message*."""
        body = {"inputs": {"message": message}, **wish}
        return self.http.post(f"{self.program}/execute", body, wait=wait)

    def evaluate(self, **wish: Any) -> Any:
        """A finished evaluation on the held-out rows."""
        body = {"dataset": self.made["dataset"], "metric": "exact_match", **wish}
        return self.http.follow(self.http.begin(f"{self.program}/evaluate", body))

    def request_optimization(self, optimizer: str, **wish: Any) -> str:
        """Where to see an optimization that was just requested."""
        body = {
            "dataset": self.made["dataset"],
            "metric": "exact_match",
            "optimizer": optimizer,
            **wish,
        }
        return self.http.begin(f"{self.program}/compile", body)

    def optimize(self, optimizer: str, **wish: Any) -> Any:
        """A finished optimization, once its result is a version of the program."""
        path = self.request_optimization(optimizer, **wish)
        ended = self.http.follow(path)
        assert ended["status"] == "completed", ended
        return until(lambda: self.http.get(path), lambda run: run["adopted_version"], timeout_s=30)
