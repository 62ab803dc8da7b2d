"""Writes the OpenAPI document that the tests compare with, after a change on purpose."""

import json
from pathlib import Path

from tests.support.api import ApiWorld

DOCUMENT = Path("tests/infrastructure/api/openapi.json")

if __name__ == "__main__":
    text = json.dumps(ApiWorld().app().openapi(), indent=1, ensure_ascii=False)
    DOCUMENT.write_text(text + "\n")
