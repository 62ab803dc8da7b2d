from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Bench, Said

pytestmark = pytest.mark.postgres
Cli = Callable[..., Said]


def test_the_read_models_are_listed_with_their_state(bench: Bench, stratal: Cli) -> None:
    assert stratal("projections", "list").out.splitlines()[1].split() == [
        "board",
        "2",
        "live",
        "7",
        "0",
    ]
    bench.office.lag |= {"state": "degraded", "parked": 3, "why": "parked: it fails"}
    assert "board: parked: it fails" in stratal("projections", "list").out
    assert stratal("projections", "list", "--json").json == {"items": [bench.office.lag]}


def test_the_lag_is_told_in_positions_and_seconds(bench: Bench, stratal: Cli) -> None:
    line = stratal("projections", "lag").out.splitlines()[1].split()
    assert line == ["board", "7", "9", "2", "0.5", "0.25"]
    assert stratal("projections", "lag", "--json").json == {"items": [bench.office.lag]}


def test_verify_names_what_differs_and_ends_with_1(bench: Bench, stratal: Cli) -> None:
    said = stratal("projections", "verify")
    assert (said.status, said.out) == (
        0,
        "board version 2 at position 7 is what the log makes of it.\n",
    )
    bench.office.found |= {
        "is_well": False,
        "parked": 2,
        "differences": [
            {
                "table": "notes",
                "rows": 1,
                "rows_of_fold": 2,
                "only_here": ["(a,1)"],
                "only_in_fold": ["(b,2)"],
            }
        ],
    }
    said = stratal("projections", "verify", "board")
    assert said.status == 1
    assert said.out.splitlines() == [
        "board version 2 at position 7 does without 2 parked events.",
        "board version 2 at position 7 differs in notes: 1 rows, from the log 2.",
        "  only here: (a,1)",
        "  only from the log: (b,2)",
    ]
    said = stratal("projections", "verify", "--json")
    assert (said.status, said.json) == (1, {"items": [bench.office.found]})


def test_a_rebuild_says_how_it_was_verified(bench: Bench, stratal: Cli) -> None:
    said = stratal("projections", "rebuild", "board")
    assert said.out == (
        "board version 2 was rebuilt up to position 7, verified against live tables, and is live.\n"
    )
    bench.office.built |= {"verified_against": "second fold", "differed": ["notes"]}
    assert (
        "The tables before it differed in notes." in stratal("projections", "rebuild", "board").out
    )
    assert stratal("projections", "rebuild", "board", "--json").json == bench.office.built


def test_a_replay_ends_with_1_while_events_are_parked(bench: Bench, stratal: Cli) -> None:
    said = stratal("projections", "replay", "board")
    assert (said.status, said.out) == (0, "3 parked events of board were folded, 0 remain.\n")
    bench.office.still = 1
    said = stratal("projections", "replay", "board", "--json")
    assert (said.status, said.json) == (1, {"name": "board", "folded": 3, "parked": 1})
