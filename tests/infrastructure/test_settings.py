"""Settings come from the environment, are validated once, and hide their secrets."""

from pathlib import Path

import pytest

from domain.tool.allowance import Allowance
from infrastructure.settings import Settings, SettingsAreInvalid


def test_without_variables_everything_has_a_default() -> None:
    settings = Settings.from_environment({})

    assert settings.home == Path("~/.stratal").expanduser()
    assert (settings.host, settings.port, settings.lm) == ("127.0.0.1", 8000, "local")
    assert settings.database_url is None
    assert settings.broker_url is None


def test_empty_variables_count_as_unset() -> None:
    assert Settings.from_environment({"STRATAL_DATABASE_URL": ""}).database_url is None


def test_every_bad_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsAreInvalid) as refused:
        Settings.from_environment(
            {"STRATAL_PORT": "many", "STRATAL_BROKER_URL": "kafka://x", "STRATAL_COLOUR": "red"}
        )

    for name in ("STRATAL_PORT", "STRATAL_BROKER_URL", "STRATAL_COLOUR"):
        assert name in str(refused.value)


def test_a_misspelt_variable_is_told_the_right_name() -> None:
    with pytest.raises(
        SettingsAreInvalid, match=r"STRATAL_PROT is no setting \(perhaps STRATAL_PORT\)"
    ):
        Settings.from_environment({"STRATAL_PROT": "80"})


def test_a_child_process_gets_the_same_settings() -> None:
    settings = Settings.from_environment(
        {"STRATAL_HOME": "/srv/stratal", "STRATAL_LM_API_KEY": "sk-secret", "STRATAL_WORKERS": "3"}
    )

    assert Settings.from_environment(settings.environment()) == settings


def test_checkpoints_go_where_they_can_go() -> None:
    given = {"STRATAL_NOTARY_FILE": "kept/c.txt", "STRATAL_NOTARY_URL": "https://witness.example/c"}
    settings = Settings.from_environment(given)

    assert settings.notary_file == Path("kept/c.txt").absolute()
    assert settings.notary_key is None
    for bad in ("ftp://witness.example", "witness.example"):
        with pytest.raises(SettingsAreInvalid, match="STRATAL_NOTARY_URL"):
            Settings.from_environment({"STRATAL_NOTARY_URL": bad})


def test_secrets_are_never_shown() -> None:
    shown = Settings.from_environment(
        {
            "STRATAL_LM_API_KEY": "sk-secret",
            "STRATAL_DATABASE_URL": "postgresql://ada:hunter2@db.example/stratal",
        }
    ).shown()

    assert "sk-secret" not in str(shown)
    assert "hunter2" not in str(shown)
    assert shown["STRATAL_DATABASE_URL"].startswith("postgresql://ada:")


def test_of_the_notarys_address_its_place_alone_is_shown() -> None:
    url = "https://token@witness.example:8443/hooks/token?key=token#token"
    shown = Settings.from_environment({"STRATAL_NOTARY_URL": url}).shown()
    assert shown["STRATAL_NOTARY_URL"] == "https://witness.example:8443"


SECRETS = '{"weather": {"host": "api.weather.example", "header": "X-Api-Key", "value": "hunter2"}}'


SERVERS = (
    '{"files": {"command": ["mcp-files"], "environment": {"TOKEN": "hunter2"}},'
    ' "web": {"url": "https://mcp.example/mcp", "headers": {"Authorization": "hunter2"}}}'
)


def test_mcp_servers_are_processes_or_addresses() -> None:
    settings = Settings.from_environment({"STRATAL_MCP_SERVERS": SERVERS})
    assert settings.allowance.servers == {"files", "web"}
    assert settings.servers["files"].command == ("mcp-files",)
    assert settings.servers["web"].url == "https://mcp.example/mcp"
    assert "hunter2" not in str(settings.shown())
    assert Settings.from_environment(settings.environment()) == settings


def test_tools_are_allowed_by_name_and_none_by_default() -> None:
    assert Settings.from_environment({}).allowance == Allowance()
    settings = Settings.from_environment(
        {
            "STRATAL_TOOLS": "acme.tools:search, acme.more,",
            "STRATAL_TOOL_HOSTS": "api.weather.example, http://tools.internal:8080",
            "STRATAL_TOOL_SECRETS": SECRETS,
        }
    )
    assert settings.allowance == Allowance(
        entry_points=frozenset({"acme.tools:search", "acme.more"}),
        hosts=frozenset({"api.weather.example", "http://tools.internal:8080"}),
        secrets={"weather": "api.weather.example"},
    )
    assert settings.secrets["weather"].value.get_secret_value() == "hunter2"
    assert "hunter2" not in str(settings.shown())
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STRATAL_TOOLS", "acme tools:search"),
        ("STRATAL_TOOLS", "acme.tools:search:twice"),
        ("STRATAL_TOOL_SECRETS", "hunter2"),
        ("STRATAL_MCP_SERVERS", "hunter2"),
        ("STRATAL_MCP_SERVERS", SERVERS.replace('"command"', '"url": "https://x/", "command"')),
        ("STRATAL_MCP_SERVERS", '{"files": {"environment": {"TOKEN": "hunter2"}}}'),
        ("STRATAL_MCP_SERVERS", SERVERS.replace("https://", "https://ada:hunter2@")),
        ("STRATAL_TOOL_SECRETS", SECRETS.replace("X-Api-Key", "X Api: Key")),
        ("STRATAL_TOOL_SECRETS", SECRETS.replace("weather.example", "weather.example/x")),
    ],
)
def test_a_setting_of_tools_that_cannot_be_used_is_named_and_not_shown(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsAreInvalid, match=variable) as refused:
        Settings.from_environment({variable: value})
    assert "hunter2" not in str(refused.value)


@pytest.mark.feature("LMP-20")
def test_lmp_20_the_defaults_are_those_of_the_papers() -> None:
    shown = Settings.from_environment({}).shown()
    assert (shown["STRATAL_MAX_RETRIES"], shown["STRATAL_RETRY_DELAY"]) == ("3", "1000")


@pytest.mark.feature("LMP-20")
def test_lmp_20_a_file_says_what_no_variable_says(tmp_path: Path) -> None:
    file = tmp_path / "stratal.toml"
    file.write_text('lm = "openai/gpt-4"\nmax_retries = 5\nretry_delay = 200\nallow_code = true\n')
    told = {"STRATAL_SETTINGS": str(file), "STRATAL_MAX_RETRIES": "1"}
    settings = Settings.from_environment(told)
    assert (settings.lm, settings.max_retries, settings.retry_delay) == ("openai/gpt-4", 1, 200)
    assert settings.allow_code is True
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_retires = 3", r"STRATAL_MAX_RETIRES is no setting \(perhaps STRATAL_MAX_RETRIES\)"),
        ("retry_delay = -1", "STRATAL_RETRY_DELAY: Input should be greater"),
        ("[max", "STRATAL_SETTINGS: .* cannot be read"),
    ],
)
@pytest.mark.feature("LMP-20")
def test_lmp_20_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "stratal.toml"
    file.write_text(text)
    with pytest.raises(SettingsAreInvalid, match=said):
        Settings.from_environment({"STRATAL_SETTINGS": str(file)})


def test_a_file_of_settings_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsAreInvalid, match=r"STRATAL_SETTINGS: .*none\.toml"):
        Settings.from_environment({"STRATAL_SETTINGS": str(tmp_path / "none.toml")})
