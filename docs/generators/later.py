"""Features that later work brings, each with what it waits for."""

from typing import Final

LATER: Final = {}
"""What each id waits for, so that nobody takes it for forgotten. None of them has a test."""
