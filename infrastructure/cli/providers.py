"""``stratal provider``: which language models there are, and where they are asked."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.calls import CallCommands
from infrastructure.cli.connection import Connect, Data, Json
from infrastructure.cli.generations import GenerationCommands
from infrastructure.cli.output import say, show_json, show_pairs, show_table

ProviderName = Annotated[str, typer.Argument(help="Id or name of a provider.", metavar="PROVIDER")]
Why = Annotated[str | None, typer.Option("--reason", help="Why.")]
Key = Annotated[str | None, typer.Option(help="Where its key is: env:NAME, of the workers.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model that it offers; the first one answers by default."),
]
Url = Annotated[str | None, typer.Option(help="Where it is, if not where all of its kind are.")]


@dataclass(frozen=True, slots=True)
class ProviderCommands:
    """The verbs of ``stratal provider``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Which language models there are.")
        for verb in (self.add, self.list, self.show, self.change, self.rotate, self.disable):
            verbs.command()(verb)
        verbs.command()(self.enable)
        verbs.command()(self.default)
        verbs.command()(self.test)
        verbs.command()(CallCommands(self.connect).health)
        GenerationCommands(self.connect).add_to(verbs)
        return verbs

    def add(
        self,
        name: Annotated[str, typer.Argument(help="Its name.")],
        kind: Annotated[
            str,
            typer.Argument(
                help="openai, anthropic, cohere, local, openai_compatible, litellm or scripted."
            ),
        ],
        *,
        model: Models = None,
        key: Key = None,
        url: Url = None,
        json: Json = False,
    ) -> None:
        """Register a provider. Its key stays in the environment of the workers."""
        made = self.connect().providers.register(
            name, kind, base_url=url, secret=key, models=_offered(model)
        )
        if json:
            show_json(made)
            return
        say(f"Registered {name} ({made['id']}). To use it by default: stratal provider default")

    def list(self, *, json: Json = False) -> None:
        """List the providers, newest first."""
        found = [*self.connect().providers.list()]
        if json:
            show_json(found)
        elif found:
            rows = [(each["name"], each["kind"], _models(each), _status(each)) for each in found]
            show_table(("name", "kind", "models", "status"), rows)
        else:
            say("There are no providers: the model of the workers answers, which is STRATAL_LM.")

    def show(self, provider: ProviderName, *, json: Json = False) -> None:
        """Show a provider."""
        found = self.connect().providers.get(provider)
        if json:
            show_json(found)
            return
        show_pairs(
            {
                "name": found["name"],
                "kind": found["kind"],
                "models": _models(found),
                "address": found["base_url"] or "the usual one",
                "key": found["secret"],
                "status": _status(found),
                "because": found["disabled_because"],
            }
        )

    def change(self, provider: ProviderName, *, model: Models = None, url: Url = None) -> None:
        """Ask it elsewhere, or offer other models; name everything, also what stays."""
        api = self.connect()
        api.providers.change(provider, base_url=url, models=_offered(model))
        say(f"{provider} offers {_models(api.providers.get(provider))}.")

    def rotate(
        self,
        provider: ProviderName,
        key: Annotated[str, typer.Argument(help="Where its new key is: env:NAME.")],
    ) -> None:
        """Make calls with another key from now on."""
        self.connect().providers.rotate(provider, key)
        say(f"Calls to {provider} are made with the key in {key} from now on.")

    def disable(self, provider: ProviderName, *, reason: Why = None) -> None:
        """Ask it nothing more until it is enabled."""
        self.connect().providers.disable(provider, reason)
        say(f"Disabled {provider}.")

    def enable(self, provider: ProviderName) -> None:
        """Let it be asked again."""
        self.connect().providers.enable(provider)
        say(f"Enabled {provider}.")

    def test(
        self,
        provider: ProviderName,
        *,
        model: Annotated[str | None, typer.Option(help="Of those that it offers.")] = None,
        json: Json = False,
    ) -> None:
        """Ask a provider something small, as the workers do; the call is on record."""
        found = self.connect().providers.test(provider, model=model)
        if json:
            show_json(found)
        elif found["ok"]:
            say(f"{found['model']} answered in {found['latency_ms']:.0f} ms.")
        else:
            failure = found["failure"] or {"message": "It has not answered yet.", "code": "pending"}
            say(f"{found['model']} did not answer: {failure['message']} ({failure['code']})")
        if not found["ok"]:
            raise typer.Exit(1)

    def default(
        self,
        provider: Annotated[
            str | None, typer.Argument(help="Id or name; without one: the model of the workers.")
        ] = None,
    ) -> None:
        """Have a provider answer where nothing else is said, or the model of the workers again."""
        api = self.connect()
        if provider is None:
            api.providers.clear_default()
            say("The model of the workers answers where nothing else is said.")
        else:
            api.providers.make_default(provider)
            say(f"{provider} answers where nothing else is said.")


def _offered(names: list[str] | None) -> list[dict[str, object]]:
    return [{"name": each} for each in names or ()]


def _models(found: Data) -> str:
    return ", ".join(each["name"] for each in found["models"])


def _status(found: Data) -> str:
    if found["disabled_at"]:
        return "disabled"
    return "default" if found["is_default"] else "enabled"
