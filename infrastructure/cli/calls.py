"""``stratal calls`` and ``stratal provider health``: what models were asked, and how they fare."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, Data, Json
from infrastructure.cli.output import moment, people, plain, say, show_json, show_pairs, show_table


@dataclass(frozen=True, slots=True)
class CallCommands:
    """The verbs about calls of models, whatever made them."""

    connect: Connect

    def calls(
        self,
        *,
        n: Annotated[int, typer.Option("-n", min=1, max=200, help="How many.")] = 10,
        model: Annotated[str | None, typer.Option(help="Only of a model, as in a trace.")] = None,
        program: Annotated[str | None, typer.Option(help="Only of a program: id or name.")] = None,
        json: Json = False,
    ) -> None:
        """Show the last calls of models with prompt and answer, newest first."""
        api = self.connect()
        program_id = None if program is None else api.programs.get(program)["program_id"]
        found = api.inspect_history(n, model=model, program_id=program_id)
        if json:
            show_json(found)
        elif not found:
            say("No model was called yet.")
        else:
            for call in found:
                _show(call)

    def health(
        self,
        *,
        minutes: Annotated[int, typer.Option(min=1, max=1440, help="How far back.")] = 15,
        json: Json = False,
    ) -> None:
        """Show which models answer, how often they do not, and why."""
        found = self.connect().model_health(minutes=minutes)
        if json:
            show_json(found)
        elif found:
            rows = [
                (
                    each["model"],
                    each["state"].replace("_", " "),
                    each["calls"],
                    f"{each['error_rate']:.0%}",
                    f"{each['median_latency_ms']:.0f} ms",
                    moment(each["last_answered_at"]),
                    each["last_failure"],
                )
                for each in found
            ]
            columns = (
                "model",
                "state",
                "calls",
                "failed",
                "median",
                "last answered",
                "last failure",
            )
            show_table(columns, rows)
        else:
            say(f"No model was called within the last {minutes} min.")


def _show(call: Data) -> None:
    people.print(f"\n[bold]{moment(call['called_at'])}[/bold]  {call['model']}", soft_wrap=True)
    failure, usage = call["failure"], call["usage"]
    pairs: dict[str, object] = {
        "asked": _texts(call["request_text"]),
        "answered": None if failure else _said(call["response_text"]),
        **({"failed": f"{failure['message']} ({failure['code']})"} if failure else {}),
        "tokens": f"{plain(usage['prompt_tokens'])} in, {plain(usage['completion_tokens'])} out",
        "US dollars": call["cost_usd"],
        "took": f"{call['latency_ms']:.0f} ms",
        "run": f"{call['run']} {call['run_id']}, {call['node']}",
    }
    show_pairs(pairs)


def _texts(request: Data | None) -> str | None:
    """What was asked last; the rest is in the trace."""
    messages: list[Data] = (request or {}).get("messages", [])
    return _parts(messages[-1]) if messages else None


def _said(response: Data | None) -> str | None:
    return None if response is None else _parts(response.get("message", {}))


def _parts(message: Data) -> str:
    parts: list[Data] = message.get("parts", [])
    return "\n".join(each["text"] for each in parts if "text" in each)
