"""What can go wrong between a client and the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request; ``pointer`` is a JSON pointer into that ``part`` of it."""

    part: str
    pointer: str
    code: str
    message: str


class StratalProblem(Exception):
    """The API refused; branch on ``code``, which is stable.

    ``correlation_id`` names the request in the server's log and in the audit trail.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        faults: tuple[Fault, ...] = (),
        *,
        status: int = 0,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.faults = code, detail, faults
        self.status, self.correlation_id = status, correlation_id

    @classmethod
    def told(cls, status: int, problem: Mapping[str, Any]) -> Self:
        """The problem that the API told as RFC 9457 has it."""
        faults = tuple(
            Fault(each.get("in", "body"), each["pointer"], each["code"], each["message"])
            for each in problem.get("faults", ())
        )
        return cls(
            problem.get("code", "unknown"),
            problem.get("detail") or f"The server answered with status {status}: {dict(problem)}",
            faults,
            status=status,
            correlation_id=problem.get("correlation_id"),
        )


class StratalUnreachable(StratalProblem):
    """Nobody answered. A write may or may not have happened."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            "api.unreachable",
            f"No Stratal answers at {url} ({why}). "
            "Start it with `stratal serve`, or check the URL.",
        )
