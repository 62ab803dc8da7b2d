"""Under which account the embedded server runs: never root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from infrastructure.postgres.errors import PostgresNeedsAnAccount


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account that root hands the server to."""

    uid: int
    gid: int

    @classmethod
    def for_server(cls, home: Path, data: Path) -> Self | None:
        """The account to drop to, or ``None`` when we are an ordinary user already.

        Whoever owns the data keeps it; else whoever owns the home, so that its user can go on
        without root later; else ``nobody``, which every system has. No account is ever created.

        Raises:
            PostgresNeedsAnAccount: There is no such account.
        """
        if os.geteuid() != 0:
            return None
        if data.exists() and (owner := data.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        if (uid := home.stat().st_uid) != 0 and _is_known(uid):
            return cls(uid, pwd.getpwuid(uid).pw_gid)
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise PostgresNeedsAnAccount("this system has no account called nobody") from None
        return cls(nobody.pw_uid, nobody.pw_gid)

    def reads(self, path: Path) -> bool:
        """Whether the account may reach and read *path* by the permission bits alone."""
        resolved = path.resolve()
        return self._may(resolved, 4) and all(self._may(each, 1) for each in resolved.parents)

    def _may(self, path: Path, bit: int) -> bool:
        found = path.stat()
        if found.st_uid == self.uid:
            return bool(stat.S_IMODE(found.st_mode) & bit << 6)
        if found.st_gid == self.gid:
            return bool(stat.S_IMODE(found.st_mode) & bit << 3)
        return bool(stat.S_IMODE(found.st_mode) & bit)


def _is_known(uid: int) -> bool:
    """Whether the account has a name; ``initdb`` refuses one without."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
