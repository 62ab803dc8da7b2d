"""The worker process as it is, but it soon sends again what a broker seems to have lost."""

from infrastructure.main.worker import main
from infrastructure.workers import relay

if __name__ == "__main__":
    relay.RESEND_S = 1
    main(due_after_s=1, sweep_every_s=0.5)
