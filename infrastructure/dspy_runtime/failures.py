"""What may go wrong at a model, in the application's words."""

from typing import Final

from dspy import lm15

from application.circuits import CircuitIsOpen, Sign
from application.turns import NoTurn
from domain.values import Failure

_MESSAGE_LENGTH: Final = 300

# The first row that fits wins: special cases stand before the classes they belong to.
_CODES: Final = (
    (lm15.ContextLengthError, "model.context_too_long"),
    (lm15.UnsupportedModelError, "model.unknown"),
    (lm15.InvalidRequestError, "model.request_refused"),
    (lm15.NotConfiguredError, "model.not_configured"),
    (lm15.AuthError, "model.auth_refused"),
    (lm15.BillingError, "model.billing_refused"),
    (lm15.RateLimitError, "model.rate_limited"),
    (lm15.TimeoutError, "model.timeout"),
    (lm15.ServerError, "model.unavailable"),
    (lm15.TransportError, "model.unreachable"),
    (lm15.CollectionLimitError, "model.answer_too_large"),
    (lm15.LM15Error, "model.failed"),
)
_NO_ERRORS: Final = {2: "model.answer_malformed", 3: "model.redirected"}
"""By the first digit of the status: what fails although the server says of no error."""
_OUTAGES: Final = (lm15.TimeoutError, lm15.ServerError, lm15.TransportError)
_RETRYABLE: Final = (*_OUTAGES, lm15.RateLimitError, lm15.LockTimeoutError)


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed a little later."""
    return isinstance(error, _RETRYABLE)


def sign_of(error: Exception) -> Sign:
    """What *error* says of the model, if the provider had all the time that it is given."""
    if isinstance(error, _OUTAGES):
        return Sign.FAILED
    return Sign.ANSWERED if isinstance(error, lm15.ProviderError) else Sign.NOTHING


def is_about_the_request(error: Exception) -> bool:
    """Whether the model refused this request, not all of ours: an outcome, not an outage."""
    return isinstance(
        error, lm15.InvalidRequestError | lm15.CollectionLimitError
    ) and not isinstance(error, lm15.UnsupportedModelError)


def failure_of(error: Exception) -> Failure:
    """*error* as it is recorded: the provider's first line, cut short."""
    if isinstance(error, NoTurn | CircuitIsOpen):
        return error.failure
    code = _code_of(error)
    said = str(getattr(error, "message", "") or error).strip().split("\n", 1)[0]
    return Failure(
        code=code,
        message=f"The model call failed: {said[:_MESSAGE_LENGTH] or type(error).__name__}",
        retryable=is_retryable(error),
        provider_status=getattr(error, "status", None),
    )


def _code_of(error: Exception) -> str:
    status = getattr(error, "status", None) or 0
    if (code := _NO_ERRORS.get(status // 100)) is not None:
        return code
    return next((code for kind, code in _CODES if isinstance(error, kind)), "model.engine_failed")


class RequestRefused(lm15.InvalidRequestError):  # type: ignore[misc]  # DSPy ships no types
    """The model will never answer this request; that was recorded as the call's outcome."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, status=failure.provider_status)
        self.failure = failure


class ContextIsTooLong(RequestRefused, lm15.ContextLengthError):  # type: ignore[misc]  # as above
    """The same, because the request is too long: agents forget their oldest steps and try again."""


def refused(failure: Failure) -> RequestRefused:
    """The error of a call whose outcome is *failure*."""
    kind = ContextIsTooLong if failure.code == "model.context_too_long" else RequestRefused
    return kind(failure)


def refusal_in(error: BaseException | None) -> RequestRefused | None:
    """The refusal that led to *error*, if one did."""
    while error is not None and not isinstance(error, RequestRefused):
        error = error.__cause__ or error.__context__
    return error
