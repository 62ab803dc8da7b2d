"""Features that later work brings, each with what it waits for."""

from typing import Final

LATER: Final = {
    "LMP-05": "providers and models as things of their own",
    "LMP-06": "providers and models as things of their own",
}
"""What each id waits for, so that nobody takes it for forgotten. None of them has a test."""
