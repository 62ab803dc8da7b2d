"""Writes the golden file of stored event shapes: ``python -m tests.architecture.golden``."""

import json

from tests.architecture.test_events import GOLDEN, shapes

GOLDEN.write_text(json.dumps(shapes(), indent=1, sort_keys=True) + "\n")
