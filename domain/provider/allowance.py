"""Where whoever runs the service lets models be asked, and which keys may go where."""

from dataclasses import dataclass

from domain.provider.errors import ProviderIsNotAllowed
from domain.provider.values import STANDARDS, ProviderKind, variable_of
from domain.tool.allowance import Allowance, Reach


@dataclass(frozen=True, slots=True)
class ProviderAllowance:
    """``reach`` names the hosts, and for each variable with a key the host that it is for.

    Where all providers of a kind are asked needs no word.
    """

    reach: Allowance

    def reach_of(self, kind: ProviderKind, base_url: str | None) -> Reach | None:
        """How far a request to a provider may go; ``None`` is nowhere."""
        return Reach.PUBLIC if base_url is None else self._given(kind, base_url)

    def _given(self, kind: ProviderKind, base_url: str) -> Reach | None:
        is_usual = base_url == STANDARDS[kind].address
        return Reach.PUBLIC if is_usual else self.reach.reach_of(base_url)

    def require(self, kind: ProviderKind, base_url: str | None, secret: str | None) -> None:
        """Refuse what is not allowed.

        Raises:
            ProviderIsNotAllowed: It says what would allow it.
        """
        if self.reach_of(kind, base_url) is None:
            message = f"{(base_url or '')[:200]} is not allowed here: see STRATAL_PROVIDER_HOSTS."
            raise ProviderIsNotAllowed("/base_url", message)
        if secret is not None and not self.is_key_for(kind, base_url, secret):
            message = (
                f"{secret} may not be sent to this provider. Whoever runs the service can let it:"
                " see STRATAL_PROVIDER_KEYS."
            )
            raise ProviderIsNotAllowed("/secret", message)

    def is_key_for(self, kind: ProviderKind, base_url: str | None, secret: str) -> bool:
        """Whether the key that *secret* refers to may be sent there."""
        address = base_url or STANDARDS[kind].address or ""
        return self.reach.is_secret_for(variable_of(secret), address)
