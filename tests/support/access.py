"""Who asks, in tests."""

from typing import Final

from domain.access.values import Role

EVERY_ROLE: Final = frozenset(Role)
"""For tests that are not about who may do what."""
