"""How settings are told: to child processes, to people, and what is wrong with them."""

from collections.abc import Collection
from difflib import get_close_matches
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails


def plain(value: object) -> str:
    """*value* as a variable of a child process has it; nothing for what is unset."""
    if value is None:
        return ""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def hidden(value: object) -> str:
    """*value* as it may be shown."""
    if value is None:
        return ""
    if isinstance(value, str) and (password := urlsplit(value).password):
        parts = urlsplit(value)
        return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{password}@", ":••••@")))
    return str(value)


def sentence(error: ValidationError, prefix: str, names: Collection[str]) -> str:
    """What is wrong with variables that begin with *prefix*, of which there are *names*."""
    faults = [
        _fault(fault, prefix, names)
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return "The settings cannot be used. " + "; ".join(faults) + ". See `stratal doctor`."


def _fault(fault: ErrorDetails, prefix: str, names: Collection[str]) -> str:
    variable = prefix + "_".join(str(part) for part in fault["loc"]).upper()
    if fault["type"] != "extra_forbidden":
        return f"{variable}: {fault['msg']}"
    known = [prefix + name.upper() for name in names]
    near = get_close_matches(variable, known, n=1)
    return f"{variable} is no setting" + (f" (perhaps {near[0]})" if near else "")
