"""The notary process: follows the log, keeps its tree, and signs it."""

import logging

from infrastructure import bootstrap
from infrastructure.notary.follower import Notary
from infrastructure.notary.keys import signer
from infrastructure.notary.publishing import Publisher
from infrastructure.postgres.sessions import session
from infrastructure.settings import Settings
from infrastructure.supervision import stop_on_signals
from infrastructure.system import SystemClock


def main() -> None:
    """Sign until SIGTERM or Ctrl-C.

    Raises:
        KeyIsUnusable: The key that the settings name is not there, or is not a secret.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s notary %(message)s")
    stop = stop_on_signals()
    settings = Settings.from_environment()
    signs = signer(settings.notary_key, settings.home)
    publisher = Publisher(settings.notary_file, settings.notary_url)
    conninfo = bootstrap.connect(settings)
    Notary(session(conninfo, "notary"), signs, publisher, SystemClock()).run(stop)


if __name__ == "__main__":
    main()
