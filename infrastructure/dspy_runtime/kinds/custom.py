"""Somebody's own class, made in a program's source as they would make it themselves."""

from domain.module.parameters import Custom
from domain.module.values import ModuleSpec
from infrastructure.dspy_runtime.custom import maker
from infrastructure.dspy_runtime.kinds.building import Built, Place
from infrastructure.dspy_runtime.signatures import safe_name


def built(place: Place, spec: ModuleSpec) -> Built:
    """The class of *spec* with its arguments.

    Raises:
        ProgramFailed: It cannot be imported here, or its source is not the one that was probed.
    """
    custom = spec.parameters
    assert isinstance(custom, Custom)
    name = place.named("class")
    given = ", ".join(f"{safe_name(key)}={value!r}" for key, value in custom.arguments.items())
    return Built(f"{name}({given})", {name: maker(spec, custom)})
