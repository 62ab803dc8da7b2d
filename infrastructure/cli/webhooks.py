"""``stratal webhook``: where what happens is sent."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, Data, Json
from infrastructure.cli.output import moment, say, show_json, show_pairs, show_table

WebhookName = Annotated[str, typer.Argument(help="Id or name of a webhook.", metavar="WEBHOOK")]
Why = Annotated[str | None, typer.Option("--reason", help="Why.")]
Signer = Annotated[
    str | None, typer.Option("--secret", help="Name of a secret in STRATAL_WEBHOOK_SECRETS.")
]


@dataclass(frozen=True, slots=True)
class WebhookCommands:
    """The verbs of ``stratal webhook``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Where what happens is sent.")
        verbs.command("add")(self.add)
        verbs.command("list")(self.list)
        verbs.command("show")(self.show)
        verbs.command("pause")(self.pause)
        verbs.command("resume")(self.resume)
        verbs.command("rotate")(self.rotate)
        verbs.command("remove")(self.remove)
        return verbs

    def add(
        self,
        name: Annotated[str, typer.Argument(help="Its name.")],
        url: Annotated[str, typer.Argument(help="Where to send events.")],
        *,
        topic: Annotated[
            list[str] | None,
            typer.Option(help="What to send, such as program.deployed or execution.*; else all."),
        ] = None,
        secret: Signer = None,
        after: Annotated[int | None, typer.Option(help="Begin after this position.")] = None,
        json: Json = False,
    ) -> None:
        """Have events sent to an address; the secret that signs them is shown this once."""
        made = self.connect().webhooks.subscribe(
            name, url, topics=topic or (), secret=secret, after=after
        )
        if json:
            show_json(made)
            return
        say(f"Added {name} ({made['id']}).")
        _say_secret(made["secret"])

    def list(self, *, json: Json = False) -> None:
        """List the webhooks, newest first."""
        found = [*self.connect().webhooks.list()]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["name"], each["status"], ", ".join(each["topics"]) or "all", each["url"])
                for each in found
            ]
            show_table(("name", "status", "topics", "url"), rows)
        else:
            say("There are no webhooks. Add one with: stratal webhook add NAME URL")

    def show(self, webhook: WebhookName, *, json: Json = False) -> None:
        """Show a webhook, and how far its deliveries got."""
        found = self.connect().webhooks.get(webhook)
        if json:
            show_json(found)
            return
        delivery: Data = found["delivery"] or {}
        failure: Data = delivery.get("failure") or found["failure"] or {}
        show_pairs(
            {
                "name": found["name"],
                "url": found["url"],
                "topics": ", ".join(found["topics"]) or "all",
                "status": found["status"],
                "delivered": delivery.get("delivered", 0),
                "position": delivery.get("position"),
                "last delivery": moment(delivery.get("delivered_at")),
                "failed tries": delivery.get("tries", 0),
                "next try": moment(delivery.get("next_at")),
                "failure": failure.get("message"),
            }
        )

    def pause(self, webhook: WebhookName, *, reason: Why = None) -> None:
        """Send nothing until it is resumed."""
        self.connect().webhooks.pause(webhook, reason)
        say(f"Paused {webhook}.")

    def resume(self, webhook: WebhookName) -> None:
        """Go on where the deliveries were."""
        self.connect().webhooks.resume(webhook)
        say(f"Resumed {webhook}; it goes on where it was.")

    def rotate(self, webhook: WebhookName, *, secret: Signer = None) -> None:
        """Sign with another secret from now on."""
        made = self.connect().webhooks.rotate(webhook, secret)
        say(f"{webhook} signs with another secret from now on.")
        _say_secret(made["secret"])

    def remove(self, webhook: WebhookName, *, reason: Why = None) -> None:
        """Send nothing more, for good."""
        self.connect().webhooks.remove(webhook, reason)
        say(f"Removed {webhook}.")


def _say_secret(secret: str | None) -> None:
    if secret is not None:
        say(f"Its secret is told this once: {secret}")
