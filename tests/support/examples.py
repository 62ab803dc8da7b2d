"""Runs the examples of a page against a service, and compares what they print with the page.

In a page, ``…`` stands for anything. Ids of the page stand for those that the service made: once
one was printed, later commands name it. Times, durations and counts of tokens may differ.
"""

import contextlib
import io
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

SHOWN_URL: Final = "http://127.0.0.1:8000"
"""Where the pages say the service is."""

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VARIES: Final = re.compile(
    rf"(?P<id>{_ID.pattern})|(?P<any>…)|(?P<gap>\s+)"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?)"
    r"|(?P<duration>\b\d+(?:\.\d+)? m?s\b)|(?P<count>\b\d+(?= tokens\b))"
)
_PATTERNS: Final = {
    "any": r".*?",
    "gap": r"\s+",
    "time": r"[-\d:.TZ ]+?",
    "duration": r"[\d.]+ m?s",
    "count": r"\d+",
}
_READS: Final = re.compile(
    r"curl (?!.*-d )(?!.*-X )|stratal (audit|events|history|\w+ (show|versions|list))\b"
)
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Page:
    """One page, its service at *url*, and the *folder* and *environment* of its reader."""

    path: Path
    url: str
    folder: Path
    environment: Mapping[str, str]
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def run(self) -> int:
        """Run every example in order; return how many there were."""
        parsers = [
            CodeBlockParser("console", self._console),
            CodeBlockParser("python", self._python),
        ]
        examples = list(Sybil(parsers, pattern="*.md").parse(self.path).examples())
        for example in examples:
            example.evaluate()
        return len(examples)

    def _console(self, example: Example) -> None:
        for command, shown in _commands(example.parsed):
            deadline_s = time.monotonic() + _PATIENCE_S
            while not self._is_like(shown, said := self._shell(command)):
                patient = _READS.search(command) and time.monotonic() < deadline_s
                assert patient, f"{self.path}: {command}\n--- shows\n{shown}\n--- got\n{said}"
                time.sleep(0.2)

    def _shell(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", self._real(command)],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.stdout

    def _python(self, example: Example) -> None:
        source = self._real(example.parsed)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(self.path), "exec"), example.namespace)
        shown = "\n".join(re.findall(r"print\(.*\)  # (.*)", example.parsed))
        said = printed.getvalue()
        assert self._is_like(shown, said), f"{self.path}: shows\n{shown}\n--- got\n{said}"

    def _real(self, text: str) -> str:
        """*text* with the address and the ids that there are."""
        text = text.replace(SHOWN_URL, self.url)
        return _ID.sub(lambda found: self.ids.get(found.group(), found.group()), text)

    def _is_like(self, shown: str, said: str) -> bool:
        new: list[str] = []
        pattern = "".join(self._patterns(shown.strip(), new))
        if (found := re.fullmatch(pattern, said.strip(), re.DOTALL)) is None:
            return False
        self.ids.update(zip(new, found.groups(), strict=True))
        return True

    def _patterns(self, shown: str, new: list[str]) -> Iterator[str]:
        """A pattern for what is *shown*; each id that is not known yet is a group, and in *new*."""
        end = 0
        for varies in _VARIES.finditer(shown):
            yield re.escape(shown[end : varies.start()].replace(SHOWN_URL, self.url))
            end, text, kind = varies.end(), varies.group(), str(varies.lastgroup)
            if kind != "id":
                yield _PATTERNS[kind]
            elif text in self.ids:
                yield self.ids[text]
            elif text in new:
                yield rf"\{new.index(text) + 1}"
            else:
                new.append(text)
                yield f"({_ID.pattern})"
        yield re.escape(shown[end:].replace(SHOWN_URL, self.url))


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console with what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown
