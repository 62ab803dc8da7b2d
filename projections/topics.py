"""Topics as callers ask for them: exact ones, and all of a kind as ``program.*``."""

from collections.abc import Sequence
from typing import ClassVar, Final

from domain.errors import InvalidError
from projections.audit_sentences import SAID

TOPICS: Final = tuple(event.TOPIC for event in SAID)
"""The stored name of everything that can happen."""

_ALL_OF_A_KIND: Final = ".*"


class TopicIsUnknown(InvalidError):
    """Nothing that can happen has this topic."""

    code: ClassVar[str] = "topic.unknown"

    def __init__(self, wanted: str) -> None:
        kinds = sorted({f"{topic.partition('.')[0]}{_ALL_OF_A_KIND}" for topic in TOPICS})
        super().__init__(
            f"Nothing that happens is called {wanted!r}. Ask for a topic such as {TOPICS[0]}, or "
            f"for all of a kind: {', '.join(kinds)}."
        )


def matching(wanted: Sequence[str]) -> tuple[str, ...]:
    """The topics that *wanted* names, each once; none for none.

    Raises:
        TopicIsUnknown: One of them names nothing.
    """
    return tuple(dict.fromkeys(topic for each in wanted for topic in _named(each)))


def _named(wanted: str) -> tuple[str, ...]:
    if wanted.endswith(_ALL_OF_A_KIND):
        found = tuple(topic for topic in TOPICS if topic.startswith(wanted[:-1]))
    else:
        found = tuple(topic for topic in TOPICS if topic == wanted)
    if not found:
        raise TopicIsUnknown(wanted)
    return found
