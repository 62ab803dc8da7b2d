"""A bundle is whole, proves itself from any position on, and is found out when it was changed."""

import json
import zipfile
from pathlib import Path

import pytest

from infrastructure.notary import archive
from infrastructure.notary.archive import BundleExists, BundleIsUnfinished, StartIsUnproved
from infrastructure.notary.verifier import bundle
from infrastructure.notary.verifier.bundle import main, told
from tests.support.notarized import Notarized

pytestmark = pytest.mark.postgres


@pytest.fixture
def signed(notarized: Notarized) -> Notarized:
    """A log of 400 events, signed at 40, 300 and 396."""
    for executions in (10, 65, 24):
        notarized.append_executions(executions)
        notarized.sign()
    notarized.append_executions(1)
    return notarized


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """What the verifier says, in this process so that its lines are counted as tested."""
    capsys.readouterr()
    status = main([str(each) for each in words])
    return status, capsys.readouterr().out


@pytest.mark.feature("AUD-05")
@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_bundle_proves_itself_from_any_position_on(
    signed: Notarized, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for start in (1, 2, 41, 256, 257, 301, 400, 999):
        out = signed.home / f"{start}{name}"
        exported = signed.archive(outside=True).export(out, start=start, progress=lambda _: None)
        assert (exported.events, exported.checkpoints) == (max(0, 401 - start), 3)
        status, lines = said(capsys, out, "--key", signed.signer.key)
        assert (status, lines.splitlines()[-1]) == (0, "well       nothing is amiss")
        assert "agreed     " in lines
        assert f"unsigned   the last {min(4, 401 - start)} are not" in lines or start > 400


def test_checkpoints_older_than_the_bundle_are_linked_to_it(
    signed: Notarized, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.archive().export(signed.bundle, start=301, progress=lambda _: None)
    assert "agreed     2 checkpoints, 2 consistency proofs" in said(capsys, signed.bundle)[1]
    (signed.bundle / "proofs.jsonl").write_text("")
    status, lines = said(capsys, signed.bundle)
    assert status == 0
    assert "unchecked  1 checkpoints are older than the first event here" in lines


def test_a_proof_that_does_not_hold_is_found(
    signed: Notarized, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.archive().export(signed.bundle, start=301, progress=lambda _: None)
    file = signed.bundle / "proofs.jsonl"
    first, second = map(json.loads, file.read_text().splitlines())
    first["path"][-1] = second["path"][-1]
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    status, lines = said(capsys, signed.bundle)
    assert status == 1
    assert "REWRITTEN  positions 41 to 300 (the checkpoint of 300 events" in lines


def test_what_a_policy_took_out_is_told_and_not_missed(
    signed: Notarized, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.tamper("DELETE FROM stratal.events WHERE notification_id BETWEEN 101 AND 150")
    assert [each.kind for each in signed.verify().findings] == ["missing"]
    signed.tamper("INSERT INTO stratal.partitions VALUES (101, 150, 'taken_out', now())")
    report = signed.verify()
    assert (report.findings, report.away, report.agreed) == ([], 50, 3)
    signed.export()
    status, lines = said(capsys, signed.bundle)
    assert status == 0
    assert "away       50 events were taken out" in lines
    assert lines.splitlines()[-2].startswith("well       nothing else is amiss; that the rest is")


def test_an_event_cannot_be_said_to_have_been_where_a_policy_took_out(signed: Notarized) -> None:
    signed.tamper(
        "DELETE FROM stratal.events WHERE notification_id BETWEEN 101 AND 150"
        " OR notification_id IN (200, 201)"
    )
    signed.tamper("INSERT INTO stratal.partitions VALUES (101, 150, 'taken_out', now())")
    signed.tamper(
        "UPDATE stratal.notary_leaves SET entries = overlay(overlay(entries PLACING int8send(120)"
        " FROM 159 * 40 + 1) PLACING int8send(121) FROM 160 * 40 + 1) WHERE first = 40"
    )
    report = signed.verify()
    [finding] = report.findings
    assert (finding.kind, finding.count, report.away) == ("missing", 2, 50)
    assert "kept as if before position 199" in finding.about


def test_events_that_changed_places_and_more_are_not_called_swapped(signed: Notarized) -> None:
    for now, before in ((4999999, 100), (100, 200), (200, 4999999)):
        signed.tamper(
            "UPDATE stratal.events SET notification_id = %(now)s WHERE notification_id = %(was)s",
            now=now,
            was=before,
        )
    assert [each.kind for each in signed.verify().findings] == ["swapped"]
    signed.tamper("UPDATE stratal.events SET tenant = 'evil' WHERE notification_id = 200")
    found = [(each.kind, each.first) for each in signed.verify().findings]
    assert found == [("changed", 100), ("changed", 200)]


def test_checkpoints_that_changed_places_are_examined_in_order(signed: Notarized) -> None:
    signed.tamper(
        "UPDATE stratal.checkpoints AS one SET note = other.note FROM stratal.checkpoints AS other"
        " WHERE (one.size, other.size) IN ((40, 300), (300, 40))"
    )
    report = signed.verify()
    assert (report.agreed, report.proofs, report.findings) == (3, 2, [])


@pytest.mark.parametrize(
    ("size", "kind"), [("9" * 15, "forged"), ("9" * 20, "unreadable"), ("41", "forged")]
)
def test_a_checkpoint_of_another_size_costs_its_own_proofs_alone(
    signed: Notarized, size: str, kind: str
) -> None:
    signed.tamper(
        "UPDATE stratal.checkpoints SET note = replace(note, E'\n300\n', %(size)s)"
        " WHERE size = 300",
        size=f"\n{size}\n",
    )
    report = signed.verify()
    assert [each.kind for each in report.findings] == [kind]
    assert (report.agreed, report.proofs) == (2, 1)


def test_of_many_findings_the_first_are_listed(
    signed: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.notary.verifier.examination.LISTED", 2)
    signed.tamper("DELETE FROM stratal.events WHERE mod(notification_id, 100) = 7")
    report = signed.verify()
    assert [each.first for each in report.findings] == [7, 107]
    assert report.unlisted == 2
    assert "and more   2 findings are not listed" in [*told(report, [])]


def test_nothing_is_written_over(signed: Notarized) -> None:
    signed.bundle.mkdir()
    with pytest.raises(BundleExists):
        signed.export()


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_an_export_that_fails_leaves_nothing_behind(signed: Notarized, name: str) -> None:
    def fail(_seen: int) -> None:
        raise OSError("The disk is full.")

    out = signed.home / "kept" / name
    out.parent.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "EVERY", 1)
        with pytest.raises(OSError, match="full"):
            signed.archive().export(out, start=1, progress=fail)
    assert [*out.parent.iterdir()] == []
    assert signed.archive().export(out, start=1, progress=lambda _: None).events == 400


def test_what_an_export_left_that_was_killed_is_named_and_not_touched(signed: Notarized) -> None:
    draft = signed.bundle.with_name(f".{signed.bundle.name}.partial")
    draft.mkdir()
    with pytest.raises(BundleIsUnfinished, match=str(draft)):
        signed.export()
    draft.rmdir()
    signed.export()
    assert signed.bundle.is_dir()


def test_a_start_that_cannot_be_proved_is_refused(signed: Notarized) -> None:
    signed.tamper("DELETE FROM stratal.notary_nodes")
    with pytest.raises(StartIsUnproved, match="before position 300"):
        signed.archive().export(signed.bundle, start=300, progress=lambda _: None)
    signed.tamper(
        "UPDATE stratal.notary_leaves SET entries = '' WHERE first = (SELECT max(first)"
        " FROM stratal.notary_leaves)"
    )
    with pytest.raises(StartIsUnproved, match="before position 999"):
        signed.archive().export(signed.home / "other", start=999, progress=lambda _: None)
    assert not signed.bundle.exists()


def test_damaged_nodes_cost_the_proofs_and_nothing_else(signed: Notarized) -> None:
    signed.tamper("DELETE FROM stratal.notary_nodes")
    report = signed.verify()
    assert (report.agreed, report.proofs, report.findings) == (3, 0, [])


def test_the_key_that_was_given_is_believed_and_not_that_of_the_bundle(
    signed: Notarized, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    signed.export()
    own = signed.signer.key
    (signed.home / "notary.pem").unlink()
    other = signed.signer.key
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{other}\n\n{own}\n")
    assert said(capsys, signed.bundle, "--key", keys)[0] == 0
    status, lines = said(capsys, signed.bundle, "--key", other)
    assert status == 1
    assert "FORGED     position 396" in lines


def test_checkpoints_by_an_older_key_are_covered_by_those_of_the_new_one(
    notarized: Notarized,
) -> None:
    notarized.append_executions(1)
    notarized.sign()
    (notarized.home / "notary.pem").unlink()
    notarized.append_executions(1)
    notarized.sign()
    report = notarized.verify()
    assert (report.agreed, report.others, report.findings) == (1, 1, [])


def test_the_checkpoints_of_another_log_are_told_apart(signed: Notarized) -> None:
    foreign = signed.signer.sign(
        "stratal/other", 3, bytes(32), 3, "2030-01-01T00:00:00.000000+00:00"
    )
    signed.file.write_text(foreign.note)
    [finding] = signed.verify(outside=True).findings
    assert (finding.kind, finding.first) == ("foreign", 3)


def test_what_nobody_signed_is_not_called_well(notarized: Notarized) -> None:
    assert notarized.verify().findings == []
    notarized.append_executions(1)
    [finding] = notarized.verify().findings
    assert (finding.kind, finding.last) == ("unsigned", 4)


def change(signed: Notarized, old: str, new: str) -> None:
    file = signed.bundle / "events.jsonl"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('{"position":9,', '{"position":9,"actor":"mallory",', "UNREADABLE position 8 "),
        ('{"position":9,', '{"position":3,', "MISPLACED  position 3 "),
        ('{"position":400,', '{"position":401,', "MISSING    position 400 "),
        ("execution.requested", "execution.completed", "CHANGED    position 1 "),
    ],
)
def test_a_bundle_that_was_changed_is_found_out(
    signed: Notarized, capsys: pytest.CaptureFixture[str], old: str, new: str, found: str
) -> None:
    with signed.notary() as notary:
        notary.step()
    signed.export()
    change(signed, old, new)
    status, lines = said(capsys, signed.bundle)
    assert status == 1
    assert any(each.startswith(found) for each in lines.splitlines()), lines


@pytest.mark.parametrize("file", ["bundle.json", "keys.txt", "proofs.jsonl", "events.jsonl"])
def test_a_bundle_without_a_file_is_unreadable(
    signed: Notarized, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    signed.export()
    (signed.bundle / file).unlink()
    status, lines = said(capsys, signed.bundle)
    assert status == 1
    assert lines.startswith("UNREADABLE ")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("bundle.json", "[]"),
        ("bundle.json", '{"base_size": null, "base_roots": [], "away": [], "origin": ""}'),
        ("bundle.json", '{"base_size": 0, "base_roots": [], "away": [7], "origin": ""}'),
        ("proofs.jsonl", '{"old": "1", "new": 2, "path": []}\n{"old": 1, "new": "2", "path": []}'),
        ("proofs.jsonl", "7"),
        ("keys.txt", "none"),
    ],
)
def test_a_bundle_with_another_file_is_unreadable(
    signed: Notarized, capsys: pytest.CaptureFixture[str], file: str, text: str
) -> None:
    signed.export()
    (signed.bundle / file).write_text(text)
    status, lines = said(capsys, signed.bundle)
    assert status == 1
    assert lines.startswith("UNREADABLE ")


def test_a_damaged_archive_is_unreadable(
    signed: Notarized, capsys: pytest.CaptureFixture[str]
) -> None:
    out = signed.home / "bundle.zip"
    signed.archive().export(out, start=1, progress=lambda _: None)
    with zipfile.ZipFile(out) as archive:
        start = archive.getinfo("events.jsonl").header_offset
    raw = bytearray(out.read_bytes())
    raw[start + 100 : start + 200] = b"\xff" * 100
    out.write_bytes(raw)
    status, lines = said(capsys, out)
    assert status == 1
    assert lines.startswith("UNREADABLE ")


def test_a_leaf_cut_short_is_a_leaf_lost(
    signed: Notarized, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.export()
    file = signed.bundle / "leaves.bin"
    file.write_bytes(file.read_bytes()[:-1])
    assert said(capsys, signed.bundle)[0] == 0
    file.write_bytes(file.read_bytes()[: 40 * 39])
    change(signed, '{"position":41,', '{"position":41,"more":1,')
    assert "REWRITTEN" in said(capsys, signed.bundle)[1]


def test_progress_is_told(
    signed: Notarized, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infrastructure.notary.archive.EVERY", 150)
    monkeypatch.setattr("infrastructure.notary.verifier.examination.EVERY", 150)
    heard: list[int] = []
    signed.archive().verify(heard.append)
    signed.archive().export(signed.home / "b.zip", start=1, progress=heard.append)
    assert heard == [150, 300, 150, 300]
    bundle.main([str(signed.home / "b.zip")])
    assert "300 events" in capsys.readouterr().err


def test_a_file_that_is_no_archive_is_unreadable(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "b.zip").write_text("none")
    assert said(capsys, tmp_path / "b.zip")[0] == 1
    with zipfile.ZipFile(tmp_path / "c.zip", "w"):
        pass
    assert said(capsys, tmp_path / "c.zip")[0] == 1
    assert said(capsys, tmp_path, "--key", "none")[0] == 1


def test_few_checkpoints_of_many_are_enough(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.notary.archive.NOTES", 4)
    for _ in range(40):
        notarized.append_executions(1)
        notarized.sign()
    report = notarized.verify()
    assert report.findings == []
    assert 6 <= report.agreed <= 9
    assert report.proofs == report.agreed - 1
