"""``stratal execution``: what a program was asked and answered, and repeating it from the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import AsOf, Connect, Data, ExecutionId, Json
from infrastructure.cli.counterfactuals import CounterfactualCommands
from infrastructure.cli.output import moment, people, plain, say, show_json, show_pairs
from infrastructure.cli.replays import ReplayCommand


@dataclass(frozen=True, slots=True)
class ExecutionCommands:
    """The verbs of ``stratal execution``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Runs of programs.")
        verbs.command()(self.show)
        verbs.command()(ReplayCommand(self.connect).replay)
        verbs.command("counterfactual")(CounterfactualCommands(self.connect).vary)
        return verbs

    def show(
        self,
        execution: ExecutionId,
        *,
        trace: Annotated[
            bool, typer.Option("--trace", help="With every call of a model or tool.")
        ] = False,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """Show an execution: inputs, outputs, cost, and on request its calls."""
        client = self.connect()
        found = client.executions.get(execution, as_of=as_of)
        calls = list(client.executions.trace(execution, as_of=as_of)) if trace else []
        if json:
            show_json({**found, "trace": calls} if trace else found)
            return
        show_pairs(_shown(found))
        for call in calls:
            _show_call(call, len(calls))


def show_answer(ran: Data) -> None:
    """Print what a run gave, and one line on the run itself."""
    show_pairs({**(ran["outputs"] or {}), **_ended(ran)})


def show_end(ran: Data) -> None:
    """Print how a run ended whose outputs were shown already."""
    show_pairs(_ended(ran))


def _ended(ran: Data) -> Data:
    usage = ran["token_usage"]
    return {
        **_ending(ran),
        **_warned(ran),
        "·": f"{ran['status']}, version {ran['program_version']}, {usage['calls']} model "
        f"call(s), {plain(usage['total_tokens'])} tokens, execution {ran['execution_id']}",
    }


def _shown(found: Data) -> dict[str, object]:
    usage, took_ms = found["token_usage"], found["duration_ms"]
    outputs: Data = found["outputs"] or {}
    verdicts = [f"{each['replay']} {each['outcome']}" for each in found["replays"]]
    pairs: dict[str, object] = {
        "execution": found["execution_id"],
        "status": found["status"],
        "program": f"{found['program_id']}, version {found['program_version']}",
        **{f"in   {name}": value for name, value in found["inputs"].items()},
        **{f"out  {name}": value for name, value in outputs.items()},
        **_ending(found),
        **_warned(found),
        **_answering(found),
        **({"varies": found["varies"]} if found["varies"] else {}),
        **({"from the cache": f"as {found['filled_by']}"} if found["filled_by"] else {}),
        "model calls": usage["calls"],
        **({"tool calls": found["tool_calls"]} if found["tool_calls"] else {}),
        "tokens": usage["total_tokens"],
        "US dollars": usage["cost_usd"],
        "took": None if took_ms is None else f"{took_ms:.0f} ms",
        "requested": f"{moment(found['requested_at'])} by {found['actor']}",
    }
    if found["attempts"] > 1:
        pairs["attempts"] = found["attempts"]
    if verdicts:
        pairs["replays"] = ", ".join(verdicts)
    return pairs


def _answering(run: Data) -> dict[str, object]:
    """Which model was named or chosen, and why."""
    named: dict[str, object] = {"model": run["model"]} if run["model"] else {}
    if routing := run["routing"]:
        choice = routing["choice"]
        instead = f", or {choice['fallback']} where it fails" if choice["fallback"] else ""
        named["model"] = f"{choice['model']}{instead}"
        named["by route"] = f"{routing['route']}: {choice['reason']}"
    return named


def _ending(run: Data) -> dict[str, object]:
    """Why a run came to no answer."""
    why: dict[str, object] = {}
    if run["failure"]:
        why["failure"] = f"{run['failure']['message']} ({run['failure']['code']})"
    if run["cancelled_because"]:
        why["cancelled"] = run["cancelled_because"]
    return why


def _warned(run: Data) -> dict[str, object]:
    if not run["warnings"]:
        return {}
    return {"warning": "\n".join(each["message"] for each in run["warnings"])}


def _show_call(call: Data, of: int) -> None:
    people.print()
    people.print(f"[bold]call {call['index']} of {of}[/bold]", end="  ")
    took = f"{call['latency_ms']:.0f} ms"
    if call["kind"] == "model":
        tokens = plain(call["usage"]["total_tokens"])
        say(f"{call['node']} asked {call['model']}: {took}, {tokens} tokens")
        if from_cache := call["filled_by"]:
            say(f"not asked, but answered as {from_cache['kind']} {from_cache['id']} was")
    else:
        say(f"{call['node']} called {call['tool']}: {took}")
        if known := call["filled_by"]:
            say(f"not called, but answered as {known['kind']} {known['id']} was")
    for role, text in _messages(call) if call["kind"] == "model" else _exchange(call):
        people.print(f"[dim]── {role}[/dim]")
        say(text)
    if call["failure"]:
        say(f"It failed: {call['failure']['message']} ({call['failure']['code']})")


def _exchange(call: Data) -> Iterator[tuple[str, str]]:
    """What a tool was given, and what it gave."""
    yield "arguments", "(erased)" if call["arguments"] is None else plain(call["arguments"])
    if not call["failure"]:
        yield "result", plain(call["result"])


def _messages(call: Data) -> Iterator[tuple[str, str]]:
    """Prompt and answer as they were said, part after part."""
    request, response = call["request"], call["response"]
    if request is None:
        yield "prompt", "(erased)"
    else:
        if request.get("system"):
            yield "system", _text(request["system"])
        for message in request.get("messages", ()):
            yield message["role"], _text(message["parts"])
    if response is not None:
        yield "answer", _text(response.get("message", {}).get("parts", plain(response)))


def _text(parts: str | Sequence[Data]) -> str:
    """What stands in *parts*; one that is no text is shown as its data."""
    if isinstance(parts, str):
        return parts.strip("\n")
    return "\n".join(part["text"] if "text" in part else plain(part) for part in parts).strip("\n")
