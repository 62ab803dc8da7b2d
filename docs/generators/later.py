"""Features that later work brings, each with what it waits for."""

from typing import Final

LATER: Final = {
    "BRG-03": "workers that end themselves after so many jobs or so much memory",
    "BRG-05": "one port with the six words of the papers; here they are commands",
    "BRG-07": "engines in a process of their own, and how they are talked to",
    "BRG-08": "deadlines of single calls, and a 504 for those that pass one",
    "BRG-12": "engines that are not DSPy",
    "LMP-04": "providers and models as things of their own",
    "LMP-05": "providers and models as things of their own",
    "LMP-06": "providers and models as things of their own",
    "VIS-24": "accounts, and rows that the database itself keeps apart",
}
"""What each id waits for, so that nobody takes it for forgotten. None of them has a test."""
