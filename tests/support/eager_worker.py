"""The worker process as it is, with a sweep that has no patience: a test cannot wait a minute."""

from infrastructure.main.worker import main

if __name__ == "__main__":
    main(due_after_s=1, sweep_every_s=0.5)
