"""The seven words that the papers promise: where each is told, and the tests that show it."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from docs.generators.features import Claim, claims
from docs.generators.markdown import code, table
from docs.generators.packages import ROOT

_HEAD: Final = """# Promises

«Production ready, observable, secure, composable, API-first, maintainable, extensible»: seven words
are easily written. Each stands here with what it means, the page that tells how, and the tests that
show it, by the marks they bear. `python -m docs.generate` makes this page of those marks; a test
fails when a word has none. All features are on [their page](reference/features.md).
"""


class Promise(NamedTuple):
    """A word, what it means here, where that is told, and the features that it stands on."""

    word: str
    means: str
    page: str
    features: Sequence[str]

    @property
    def link(self) -> str:
        """Leads to the page, by its heading."""
        text = (ROOT / "docs" / self.page).read_text(encoding="utf-8")
        return f"[{text.splitlines()[0].removeprefix('# ')}]({self.page})"


PROMISES: Final = (
    Promise(
        "Production ready",
        "What was accepted is stored and ends exactly once, whatever is killed, cut off or full.",
        "explanation/guarantees.md",
        ("BRG-04", "BRG-09", "BRG-15", "EXE-03", "OPT-20", "VIS-14", "VIS-25"),
    ),
    Promise(
        "Observable",
        "Who did what, which calls were made, what they cost and where the time went can be asked.",
        "how-to/traces.md",
        ("AUD-01", "AUD-02", "BRG-16", "LMP-19", "TRC-01", "VIS-03", "VIS-20"),
    ),
    Promise(
        "Secure",
        "Nobody does what no key allows, no text becomes code, and no fact is changed unseen.",
        "how-to/keys.md",
        ("AUD-05", "BRG-11", "EXE-07", "LMP-03", "MOD-25", "MOD-26", "VIS-04", "VIS-18"),
    ),
    Promise(
        "Composable",
        "Modules make programs, programs are tools of others, and data and services call them.",
        "explanation/programs-are-graphs.md",
        ("FUT-10", "MOD-09", "MOD-29", "MOD-30", "VIS-02", "VIS-31"),
    ),
    Promise(
        "API-first",
        "Whatever can be done can be done over HTTP, typed, and safely repeated.",
        "how-to/clients.md",
        ("BRG-02", "BRG-06", "PRG-14", "SIG-28", "SIG-29", "VIS-06", "VIS-12"),
    ),
    Promise(
        "Maintainable",
        "Layers, names and stored shapes are rules that run; read models are made anew at will.",
        "explanation/way-through-the-house.md",
        ("BRG-01", "MOD-28", "VIS-01", "VIS-11", "VIS-19", "VIS-26", "VIS-30"),
    ),
    Promise(
        "Extensible",
        "A module, a metric, an optimizer, a provider, an engine of one's own: no change here.",
        "how-to/new-kind.md",
        ("BRG-05", "BRG-12", "BRG-14", "MET-08", "OPT-07", "VIS-28"),
    ),
)


def promises() -> str:
    """The page of the seven words."""
    found = claims()
    words = ((f"[{each.word}](#{_anchor(each)})", each.means, each.link) for each in PROMISES)
    parts = [_HEAD, table(("word", "what it means", "how"), words)]
    return "\n".join([*parts, *(_section(each, found) for each in PROMISES)])


def _section(promise: Promise, found: Sequence[Claim]) -> str:
    shown = table(("feature", "what the tests say", "test"), _rows(promise, found))
    return f"## {promise.word}\n\n{promise.means} How: {promise.link}.\n\n{shown}"


def _rows(promise: Promise, found: Sequence[Claim]) -> Iterator[tuple[str, str, str]]:
    for feature in promise.features:
        for claim in found:
            if claim.id == feature:
                yield feature, claim.sentence, code(f"{claim.file}::{claim.test}")


def _anchor(promise: Promise) -> str:
    return promise.word.lower().replace(" ", "-")
