"""Writes the golden files of stored event shapes: ``python -m tests.architecture.golden``.

The schemas are those of today. The stored examples of a topic and version are written once.
"""

import json

from tests.architecture.golden.stored import write_missing
from tests.architecture.test_events import GOLDEN, shapes

GOLDEN.write_text(json.dumps(shapes(), indent=1, sort_keys=True) + "\n")
write_missing()
