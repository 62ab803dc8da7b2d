"""Switches OpenTelemetry on when the standard environment variables ask for it.

``OTEL_TRACES_EXPORTER`` (``otlp``, ``console`` or ``none``) and ``OTEL_EXPORTER_OTLP_ENDPOINT`` are
read as the OpenTelemetry specification says; without either nothing is imported, started or sent.
"""

import os
from collections.abc import Mapping

from application.tracing import NoTracing, Tracing

VARIABLES = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


class ExporterIsUnknown(Exception):
    """``OTEL_TRACES_EXPORTER`` names an exporter that is not installed here."""

    code = "telemetry.unknown_exporter"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"OTEL_TRACES_EXPORTER={name} is not supported. Use otlp, console or none."
        )


def build_tracing(service: str, environment: Mapping[str, str] = os.environ) -> Tracing:
    """Tracing for one process, named ``stratal-<service>`` unless ``OTEL_SERVICE_NAME`` says else.

    Raises:
        ExporterIsUnknown: The environment asks for an exporter there is none of.
    """
    wanted = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    asked_for = wanted or any(environment.get(name) for name in VARIABLES[1:])
    if not asked_for or wanted == "none" or environment.get("OTEL_SDK_DISABLED") == "true":
        return NoTracing()
    from infrastructure.telemetry.otel import start  # noqa: PLC0415 - the SDK loads only when used

    names = [name.strip() for name in (wanted or "otlp").split(",")]
    for name in names:
        if name not in {"otlp", "console"}:
            raise ExporterIsUnknown(name)
    return start(service, names, environment.get("OTEL_SERVICE_NAME"))
