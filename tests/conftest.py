"""Fixtures that every test may ask for, and how laws are tried."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.postgres"]

# How fast a busy machine draws examples says nothing about the law under test.
settings.register_profile("stratal", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stratal")
