"""A small client of the HTTP API, for the command line and for programs of yours."""

from infrastructure.client.errors import Fault, StratalProblem, StratalUnreachable
from infrastructure.client.stratal import Stratal

__all__ = ["Fault", "Stratal", "StratalProblem", "StratalUnreachable"]
