"""Registers a provider of models, asks it, and looks at what that came to.

    python docs/examples/providers/ask_a_provider.py http://127.0.0.1:8000 [BASE_URL]

The service holds the key: OPENAI_API_KEY, named in STRATAL_PROVIDER_KEYS. With a BASE_URL a server
of one's own with OpenAI's interface is asked, if STRATAL_PROVIDER_HOSTS names it.
"""

import sys

from infrastructure.client import Stratal

NAME = "OpenAI GPT-4"


def main(url: str, base_url: str | None = None) -> None:
    with Stratal(url) as stratal:
        providers = stratal.providers
        providers.register(
            NAME,
            "openai" if base_url is None else "openai_compatible",
            base_url=base_url,
            secret="env:OPENAI_API_KEY",
            models=[{"name": "gpt-4", "temperature": 0.0, "max_tokens": 1000}],
        )
        providers.make_default(NAME)

        tried = providers.test(NAME)
        print(f"tried: {tried['ok']}")
        answer = providers.generate(NAME, "Name a tower.", max_tokens=20)
        print(f"{answer['model']} said: {answer['text']}")

        batch = providers.generate_batch(NAME, ["Name a river.", "Name a hill."], cache=True)
        *_, ended = stratal.batches.follow(batch["id"])
        print(f"{ended['completed']} of {ended['rows']} prompts were answered")

        for call in stratal.inspect_history(2):
            print(f"{call['model']}: {call['request_text']['messages'][0]['parts'][0]['text']}")
        usage = stratal.usage()["total"]
        print(f"{usage['calls']} calls, {usage['total_tokens']} tokens")


if __name__ == "__main__":
    main(*sys.argv[1:])
