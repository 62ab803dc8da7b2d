"""The server of the API process says where it listens, once."""

import logging
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette

from infrastructure.main.server import Server


def test_it_says_where_it_listens_and_not_how_to_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = uvicorn.Config(Starlette(), host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = Server(config, lambda: None)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    server.should_exit = True
    thread.join()
    assert "listening on http://127.0.0.1:" in caplog.text
    assert "CTRL" not in caplog.text
