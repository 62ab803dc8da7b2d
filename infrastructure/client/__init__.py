"""A small client of the HTTP API, for the command line and for programs of yours."""

from infrastructure.client.errors import Fault, StratalProblem, StratalUnreachable
from infrastructure.client.stratal import Stratal
from infrastructure.client.typed import Execution, Program

__all__ = ["Execution", "Fault", "Program", "Stratal", "StratalProblem", "StratalUnreachable"]
