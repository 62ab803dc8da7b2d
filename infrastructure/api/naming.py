"""In whose name a request acts where access is open: the headers that say so."""

import re
from typing import Final

from starlette.datastructures import Headers

from domain.access.values import ACTOR, TENANT

NOBODY: Final = ("default", "anonymous")
"""The tenant and the actor of a request that names none."""


def whose(headers: Headers) -> tuple[str, str]:
    """The tenant and the actor that a request names; who cannot be one counts as not named."""
    named = (headers.get("X-Stratal-Tenant", ""), headers.get("X-Stratal-Actor", ""))
    tenant, actor = (
        name if re.match(form, name) else default
        for name, form, default in zip(named, (TENANT, ACTOR), NOBODY, strict=True)
    )
    return tenant, actor
