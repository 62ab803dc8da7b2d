"""Checkpoints leave the database, at once or as soon as that works."""

import resource
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infrastructure.notary.errors import WhatIsGivenIsUnusable
from infrastructure.notary.keys import Signer
from infrastructure.notary.publishing import Publisher
from infrastructure.notary.verifier.notes import split_notes

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
TIME = "2030-01-01T00:00:00.000000+00:00"
NOTES = [SIGNER.sign("log", size, bytes(32), size, TIME).note for size in range(1, 400)]


@dataclass
class Witness:
    """A server that takes notes, or answers with another status, or (0) with nonsense."""

    status: int = 204
    notes: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def witness() -> Iterator[Witness]:
    known = Witness()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if known.status == 0:
                self.wfile.write(b"nonsense\r\n\r\n")
                return
            if known.status == 204:
                known.notes.append(body)
            self.send_response(known.status)
            self.send_header("Location", known.url)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_port}/notes"
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_checkpoint_is_appended_and_posted(witness: Witness, tmp_path: Path) -> None:
    file = tmp_path / "kept" / "checkpoints.txt"
    publisher = Publisher(file, witness.url)
    for note in NOTES[:3]:
        publisher.publish(note)
    publisher.try_again()
    assert witness.notes == NOTES[:3]
    assert list(split_notes(file.read_text())) == NOTES[:3]


@pytest.mark.parametrize("status", [503, 301, 302, 303, 307, 308, 0])
def test_what_was_not_taken_is_handed_on_later(
    witness: Witness, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    publisher = Publisher(None, witness.url)
    witness.status = status
    publisher.publish(NOTES[0])
    publisher.publish(NOTES[1])
    assert witness.url.removesuffix("/notes") in caplog.text
    witness.status = 204
    publisher.try_again()
    publisher.try_again()
    assert witness.notes == [NOTES[1]]


def test_a_file_that_cannot_be_written_stops_nothing(
    witness: Witness, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    publisher = Publisher(tmp_path / "file" / "checkpoints.txt", witness.url)
    assert publisher.last("log") is None
    publisher.publish(NOTES[0])
    assert "could not be handed on" in caplog.text
    assert witness.notes == [NOTES[0]]


def test_the_last_checkpoint_of_a_log_is_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    other = SIGNER.sign("other", 7, bytes(32), 7, TIME)
    publisher = Publisher(tmp_path / "checkpoints.txt", None)
    assert publisher.last("log") is None
    for note in [*NOTES, other.note]:
        publisher.publish(note)
    assert (tmp_path / "checkpoints.txt").stat().st_size > 65_536
    last = publisher.last("log")
    assert last is not None
    assert last.note == NOTES[-1]
    assert publisher.last("other") == other
    assert publisher.last("none") is None
    assert Publisher(None, None).last("log") is None


def test_an_address_that_cannot_be_one_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for url in (f"http://{'a' * 64}.test/notes", "http://[::1/notes", "http://127.0.0.1:x/notes"):
        Publisher(None, url).publish(NOTES[0])
    for place in (f"http://{'a' * 64}.test: ", "[redacted]: ", "http://127.0.0.1:x: "):
        assert f"could not be handed on to {place}" in caplog.text


def test_a_token_in_the_address_is_not_logged(
    witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    witness.status = 500
    url, at = witness.url, witness.url.removeprefix("http://")
    for each in (f"{url}/t0ken", f"{url}?a=t0ken", f"http://t0ken@{at}", f"{url}/t0 ken"):
        Publisher(None, each).publish(NOTES[0])
    assert caplog.text.count("could not be handed on to http://127.0.0.1:") == 4
    assert "t0" not in caplog.text


@pytest.mark.parametrize("length", [1, 3, 4, 40, len(NOTES[2].encode()) - 3])
def test_a_note_that_was_cut_short_does_not_spoil_the_next(tmp_path: Path, length: int) -> None:
    file = tmp_path / "checkpoints.txt"
    for before in ([], NOTES[:2]):
        whole = "".join(f"{note}\n" for note in before).encode()
        file.write_bytes(whole + NOTES[2].encode()[:length])
        Publisher(file, None).publish(NOTES[3])
        assert list(split_notes(file.read_text())) == [*before, NOTES[3]]


def test_only_what_was_cut_short_is_taken_off_the_file(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    for before in (NOTES[0], NOTES[0][:-1], "something else", f"{NOTES[0]}\nother\n7"):
        file.write_text(before)
        Publisher(file, None).publish(NOTES[1])
        assert file.read_text() == f"{before.removesuffix(chr(10))}\n{NOTES[1]}\n"


def test_a_note_that_the_disk_took_in_part_is_written_again(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    publisher = Publisher(file, None)
    publisher.publish(NOTES[0])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, limits[1]))
    try:
        publisher.publish(NOTES[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_text() == f"{NOTES[0]}\n{NOTES[1][:50]}"
    publisher.try_again()
    assert list(split_notes(file.read_text())) == NOTES[:2]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WhatIsGivenIsUnusable, match="STRATAL_NOTARY_FILE"):
        Publisher(tmp_path, None).last("log")
