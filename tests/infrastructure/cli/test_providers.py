"""``stratal provider``: which language models there are."""

from collections.abc import Callable

from tests.infrastructure.cli.conftest import Said

Call = Callable[..., Said]


def test_a_provider_is_added_shown_and_made_the_default(stratal: Call) -> None:
    assert "There are no providers" in stratal("provider", "list").out
    add = ("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    assert "Registered gpt" in stratal(*add).out
    assert stratal("provider", "add", "here", "local", "--json").json["version"] == 1
    assert "gpt answers where nothing else is said." in stratal("provider", "default", "gpt").out
    said = stratal("provider", "list").out
    assert "gpt-4" in said
    assert "default" in said
    names = [each["name"] for each in stratal("provider", "list", "--json").json]
    assert names == ["here", "gpt"]
    assert "The model of the workers" in stratal("provider", "default").out
    assert stratal("provider", "show", "gpt", "--json").json["is_default"] is False


def test_a_provider_is_changed_rotated_disabled_and_enabled(stratal: Call) -> None:
    stratal("provider", "add", "gpt", "openai", "--key", "env:OPENAI_API_KEY")
    for verb, sentence in (
        (("change", "gpt", "--model", "gpt-4o", "--model", "o3"), "gpt offers gpt-4o, o3."),
        (("rotate", "gpt", "env:OTHER_KEY"), "with the key in env:OTHER_KEY from now on."),
        (("disable", "gpt", "--reason", "It leaks."), "Disabled gpt."),
    ):
        assert sentence in stratal("provider", *verb).out
    said = stratal("provider", "show", "gpt").out
    assert "disabled" in said
    assert "It leaks." in said
    assert "Enabled gpt." in stratal("provider", "enable", "gpt").out
    assert "the usual one" in stratal("provider", "show", "gpt").out


def test_a_key_itself_is_refused(stratal: Call) -> None:
    said = stratal("provider", "add", "gpt", "openai", "--key", "sk-canary")
    assert said.status == 1
    assert "env:OPENAI_API_KEY" in said.err
    assert "sk-canary" not in said.err
