"""Two signatures compared over HTTP; nothing of them is stored."""

from pydantic import BaseModel, Field

from application.pointing import beneath
from domain.comparison.signatures import compare_signatures
from domain.comparison.values import Change, Severity, gravest
from infrastructure.api.bodies import Body
from infrastructure.api.route import router
from infrastructure.api.signatures import PATH, SignatureText

routes = router(PATH, "signatures")


class TwoSignatures(Body):
    """The older one and the newer one, each as text or as data."""

    before: SignatureText
    after: SignatureText


class SignatureComparison(BaseModel):
    """What differs, and how much that matters to whoever calls it."""

    severity: Severity | None = Field(description="Of the gravest change; null if there is none.")
    changes: tuple[Change, ...]


@routes.post("/diff")
async def compare_two_signatures(body: TwoSignatures) -> SignatureComparison:
    """Compare two signatures. Nothing is stored."""
    with beneath("/before"):
        before = body.before.read()
    with beneath("/after"):
        after = body.after.read()
    changes = compare_signatures(before, after)
    return SignatureComparison(severity=gravest(changes), changes=tuple(changes))
