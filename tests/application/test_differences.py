"""Two requests side by side, as people read them."""

from pydantic import JsonValue

from application.differences import LONGEST, MOST_SHOWN, difference, first_difference, in_common


def request(text: str, **config: JsonValue) -> JsonValue:
    return {
        "config": config,
        "messages": [{"role": "system", "text": "Be short."}, {"role": "user", "text": text}],
    }


def test_a_line_of_a_text_that_differs_stands_between_its_neighbours() -> None:
    before, after = request("one\ntwo\nthree\nfour\nfive"), request("one\ntwo\n3\nfour\nfive")
    assert difference(before, after).splitlines() == [
        "@ /messages/1/text",
        "  one",
        "  two",
        "- three",
        "+ 3",
        "  four",
        "  five",
    ]
    assert first_difference(before, after) == "/messages/1/text"


def test_a_setting_stands_by_its_name() -> None:
    assert difference(
        request("hi", temperature=0.7), request("hi", temperature=0.2)
    ).splitlines() == [
        "@ /config/temperature",
        "- temperature: 0.7",
        "+ temperature: 0.2",
        '  role: "system"',
        '  text: "Be short."',
    ]


def test_a_message_more_is_an_insertion_and_no_change_of_those_after_it() -> None:
    demo, ask = {"role": "user", "text": "a demo"}, {"role": "user", "text": "ask"}
    assert difference({"messages": [ask]}, {"messages": [demo, ask]}).splitlines() == [
        "@ /messages/0/role",
        '+ role: "user"',
        '+ text: "a demo"',
        '  role: "user"',
        '  text: "ask"',
    ]


def test_what_was_left_out_at_the_end_is_seen_there() -> None:
    assert difference({"a": 1, "b": 2}, {"a": 1}).splitlines() == ["@ /b", "  a: 1", "- b: 2"]
    assert first_difference({"a": 1, "b": 2}, {"a": 1}) == "/b"


def test_what_is_equal_differs_nowhere() -> None:
    assert difference(request("hi"), request("hi")) == ""
    assert first_difference(request("hi"), request("hi")) is None


def test_values_that_are_no_objects_differ_as_a_whole() -> None:
    assert difference(None, "hi").splitlines() == ["@ /", "- : null", '+ : "hi"']
    assert first_difference(None, "hi") == "/"


def test_an_empty_list_is_something_too() -> None:
    assert first_difference({"tools": []}, {"tools": {}}) == "/tools"


def test_a_long_difference_says_how_much_more_there_is() -> None:
    before = "\n".join(f"old {number}" for number in range(LONGEST + 10))
    after = "\n".join(f"new {number}" for number in range(LONGEST + 10))
    shown = difference(before, after).splitlines()
    assert len(shown) == MOST_SHOWN + 1
    assert shown[-1] == f"… {1 + 2 * LONGEST - MOST_SHOWN} more lines"


def test_what_two_have_in_common_is_counted_wherever_it_stands() -> None:
    assert in_common({"a": "one\ntwo", "k": 1}, {"b": "two\none", "k": 2}) == 2
