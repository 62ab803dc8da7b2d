"""Which recorded executions a request is about, in the words of the list of executions."""

from uuid import UUID

from pydantic import AwareDatetime, Field, PositiveInt

from application.past_runs import MOST_RUNS
from infrastructure.api.bodies import Body


class WhichRuns(Body):
    """The newest completed executions of a program."""

    program_version: PositiveInt | None = Field(
        default=None, description="Only those of a version; all if left out."
    )
    actor: str | None = Field(default=None, description="Only those that they requested.")
    since: AwareDatetime | None = Field(default=None, description="Requested then or later.")
    until: AwareDatetime | None = Field(default=None, description="Requested before then.")
    tokens_above: int | None = Field(
        default=None, ge=0, lt=2**63, description="Took more tokens than that."
    )
    limit: int = Field(default=100, ge=1, le=MOST_RUNS, description="The newest so many.")

    def which(self, program_id: UUID) -> dict[str, object]:
        """The same for a command; the program is the one with *program_id*."""
        narrowed = self.model_dump(include={*WhichRuns.model_fields})
        return {"program_id": program_id, **narrowed}
