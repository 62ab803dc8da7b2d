"""Why something was done, where nobody said it."""

from typing import Final

NO_REASON: Final = "No reason was given."
"""What the log says then."""
