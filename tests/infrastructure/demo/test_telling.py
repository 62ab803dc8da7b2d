"""The teller prints steps as they go, for people who watch and for those who read it later."""

import io
import itertools

import pytest
from rich.console import Console

from infrastructure.demo.telling import WIDTH, Teller

ID = "0b1e6e99-9c34-5b53-85fa-13eceae73246"


def teller(*, terminal: bool = False, patience_s: float = 10.0) -> tuple[Teller, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, highlight=False, soft_wrap=True, force_terminal=terminal, width=120)
    return Teller(console, patience_s=patience_s), out


def test_a_step_is_named_before_it_is_done_and_timed_after() -> None:
    told, out = teller()
    with told.step("Load [rows]"):
        assert out.getvalue() == " 1  Load [rows]\n"
        told.say("two rows", is_old=True)
        assert out.getvalue().endswith("\n    two rows (as before)\n")
    with told.step("Go on"):
        pass
    first, _, took, second, _ = out.getvalue().splitlines()
    assert (first, second) == (" 1  Load [rows]", " 2  Go on")
    assert took.endswith(" s")


def test_ids_are_cut_and_long_lines_are_wrapped_under_their_start() -> None:
    told, out = teller()
    told.say(f"{7:>5}  run {ID} " + "word " * 40)
    first, *rest = out.getvalue().splitlines()
    assert first.startswith("        7  run 0b1e6e99 word ")
    assert all(len(line) <= WIDTH for line in [first, *rest])
    assert all(line.startswith("            word") for line in rest)


def test_a_step_that_fails_is_not_timed() -> None:
    told, out = teller()
    with pytest.raises(ZeroDivisionError), told.step("Divide"):
        raise ZeroDivisionError
    assert out.getvalue() == " 1  Divide\n"


def test_without_a_terminal_long_work_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr("infrastructure.demo.telling.time.monotonic", lambda: next(clock))
    told, out = teller(patience_s=10)
    with told.step("Wait"):
        for calls in range(6):
            told.now(f"{calls} calls")
    assert [line for line in out.getvalue().splitlines() if "…" in line] == [
        "    … 2 calls",
        "    … 5 calls",
    ]


def test_outside_of_steps_waiting_is_told_too() -> None:
    told, out = teller(patience_s=0)
    told.now("somebody stops")
    assert out.getvalue() == "    … somebody stops\n"


def test_a_terminal_sees_what_is_under_way_and_keeps_none_of_it() -> None:
    told, out = teller(terminal=True, patience_s=0)
    with told.step("Wait"):
        told.now("5 [calls]")
    assert "…" not in out.getvalue()


def test_figures_stand_under_each_other() -> None:
    told, out = teller()
    told.table(["run", "calls"], [["a [b]", "1"], ["c", "10"]])
    assert out.getvalue().splitlines() == ["run    calls", "a [b]      1", "c         10"]
