"""What Airflow knows of the provider before it imports anything, and whether it is true."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import pytest
from jsonschema import Draft7Validator, validate

from airflow_provider_b24.get_provider_info import get_provider_info
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

pytestmark = pytest.mark.slow

PUBLIC = {
    "hooks.bitrix24": ["Bitrix24Hook"],
    "operators.polls": [
        "Bitrix24SendPollOperator",
        "Bitrix24CastVoteOperator",
        "Bitrix24RecallVoteOperator",
        "Bitrix24StopPollOperator",
        "Bitrix24ResumePollOperator",
        "Bitrix24GetPollResultsOperator",
        "Bitrix24DownloadPollReportOperator",
    ],
    "operators.ask": ["Bitrix24AskOperator", "Bitrix24ApprovalOperator", "Bitrix24AskBranchOperator"],
    "operators.open_lines": [
        "Bitrix24SendConnectorMessagesOperator",
        "Bitrix24UpdateConnectorMessagesOperator",
        "Bitrix24DeleteConnectorMessagesOperator",
        "Bitrix24SendCrmChatMessageOperator",
        "Bitrix24SetUpConnectorOperator",
        "Bitrix24MarkDeliveredOperator",
        "Bitrix24MarkReadOperator",
        "Bitrix24GetSessionHistoryOperator",
    ],
    "operators.connectors": [
        "Bitrix24SetUpConnectorOperator",
        "Bitrix24MarkDeliveredOperator",
        "Bitrix24MarkReadOperator",
        "Bitrix24GetSessionHistoryOperator",
    ],
    "operators.crm": ["Bitrix24SendCrmChatMessageOperator"],
    "operators.chats": ["Bitrix24SendMessageOperator"],
    "operators.rest": ["Bitrix24CallOperator", "Bitrix24BatchOperator"],
    "sensors.polls": ["Bitrix24PollSensor"],
    "sensors.open_lines": ["Bitrix24ConnectorStatusSensor"],
    "triggers.polls": ["Bitrix24PollTrigger"],
    "triggers.ask": ["Bitrix24AskTrigger"],
    "triggers.events": ["Bitrix24OfflineEventTrigger"],
    "links.polls": ["Bitrix24PollResultsLink", "Bitrix24ChatLink"],
    "notifications.bitrix24": ["Bitrix24Notifier"],
    "emulator": ["Emulator"],
    "exceptions": ["Bitrix24Error", "Bitrix24ValidationError", "Bitrix24OutcomeUnknownError"],
}
CLASSES = [(module, name) for module, names in PUBLIC.items() for name in names]


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads(Path(airflow.__file__).with_name(name).read_text()))


def connection_type() -> dict[str, Any]:
    return dict(get_provider_info()["connection-types"][0])


def test_provider_info_matches_airflows_schema() -> None:
    validate(get_provider_info(), schema("provider_info.schema.json"))


def test_common_keys_match_the_schema_of_official_providers() -> None:
    strict = schema("provider.yaml.schema.json")
    properties = {
        name: strict["properties"][name] for name in get_provider_info() if name in strict["properties"]
    }

    errors = Draft7Validator({**strict, "properties": properties, "required": []}).iter_errors(
        get_provider_info()
    )

    assert {"connection-types", "operators", "sensors", "triggers", "hooks", "integrations"} <= set(
        properties
    )
    assert [error.message for error in errors] == []


def test_every_extra_field_has_a_label_a_description_and_a_nullable_schema() -> None:
    for name, field in connection_type()["conn-fields"].items():
        assert field["label"], name
        assert field["description"], name
        Draft7Validator.check_schema(field["schema"])
        default = field["schema"].get("default")
        assert default is None or Draft7Validator(field["schema"]).is_valid(default)
        assert "null" in field["schema"]["type"], "the form would insist on it"


def test_secrets_in_the_extra_are_hidden_by_the_form_and_masked_by_airflow() -> None:
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    hidden = {
        name
        for name, field in connection_type()["conn-fields"].items()
        if field["schema"].get("format") == "password"
    }

    assert hidden == {"refresh_token", "access_token", "proxies"}
    assert all(should_hide_value_for_key(name) for name in hidden)


def test_the_connection_type_matches_the_hook() -> None:
    named = connection_type()
    module, _, name = named["hook-class-name"].rpartition(".")

    assert getattr(import_module(module), name) is Bitrix24Hook
    assert named["connection-type"] == Bitrix24Hook.conn_type
    assert named["hook-name"] == Bitrix24Hook.hook_name


def test_the_listed_modules_are_exactly_the_public_modules() -> None:
    info = get_provider_info()
    kinds = ("hooks", "operators", "sensors", "triggers")
    named = {module for kind in kinds for part in info[kind] for module in part["python-modules"]}

    for module in named:
        import_module(module)
    public = {f"airflow_provider_b24.{module}" for module in PUBLIC if module.partition(".")[0] in kinds}
    assert public == named


@pytest.mark.parametrize(("key", "package"), [("notifications", "notifications"), ("extra-links", "links")])
def test_the_listed_classes_are_exactly_the_public_classes(key: str, package: str) -> None:
    public = {
        f"airflow_provider_b24.{module}.{name}" for module, name in CLASSES if module.startswith(package)
    }
    assert set(get_provider_info()[key]) == public


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_every_public_class_can_be_imported(module: str, name: str) -> None:
    assert inspect.isclass(getattr(import_module(f"airflow_provider_b24.{module}"), name))


def documentation(operator: type[Any]) -> str:
    """Return a class's docstring, with that of a base to which it refers for its parameters."""
    referred = [base for base in operator.__mro__[1:] if f":class:`{base.__name__}`" in operator.__doc__]
    return "\n".join(str(kind.__doc__) for kind in (operator, *referred))


@pytest.mark.parametrize(
    ("module", "name"), [row for row in CLASSES if row[0].startswith(("operators", "sensors"))]
)
def test_every_operator_parameter_is_documented(module: str, name: str) -> None:
    operator = getattr(import_module(f"airflow_provider_b24.{module}"), name)
    parameters = {
        parameter.name
        for base in operator.__mro__
        if base.__module__.startswith("airflow_provider_b24")
        for parameter in inspect.signature(base.__init__).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    text = documentation(operator)
    assert {name for name in parameters if f":param {name}:" not in text} == set()
    for field in operator.template_fields:
        documented = text.split(f":param {field}:")[1].split(":param")[0].split(":returns")[0]
        assert "(templated)" in " ".join(documented.split()), field


@pytest.mark.parametrize(
    ("module", "name"), [row for row in CLASSES if row[0].startswith(("operators", "sensors"))]
)
def test_every_text_and_id_is_templated(module: str, name: str) -> None:
    operator = getattr(import_module(f"airflow_provider_b24.{module}"), name)
    switches = {"deferrable", "poll_interval", "poke_interval", "notifiers", "options_mapping"}
    switches |= {"response_timeout", "remind_every", "escalate_after", "error_timeout"}
    # Approve and reject are its answers.
    switches |= {"answers", "multiple_choice"} if name == "Bitrix24ApprovalOperator" else set()
    own = {
        parameter.name
        for base in operator.__mro__
        if base.__module__.startswith("airflow_provider_b24")
        for parameter in inspect.signature(base.__init__).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    assert own - switches == set(operator.template_fields)


def test_the_entry_point_returns_the_provider_info() -> None:
    found = [point for point in entry_points(group="apache_airflow_provider") if "b24" in point.value]

    assert [point.load()() for point in found] == [get_provider_info()]
    assert found[0].dist is not None
    assert found[0].dist.name == get_provider_info()["package-name"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow-providers")


def airflow_shows(*words: str, home: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), "providers", *words],
        env=env | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_airflow_lists_the_provider(home: Path) -> None:
    listed = {row["package_name"]: row for row in json.loads(airflow_shows("list", "-o", "json", home=home))}

    from airflow_provider_b24 import __version__

    assert listed["airflow-provider-b24"]["version"] == __version__


def test_airflow_lists_the_hook(home: Path) -> None:
    listed = {
        row["connection_type"]: row for row in json.loads(airflow_shows("hooks", "-o", "json", home=home))
    }

    assert listed["bitrix24"]["class"] == "airflow_provider_b24.hooks.bitrix24.Bitrix24Hook"
    assert listed["bitrix24"]["conn_id_attribute_name"] == Bitrix24Hook.conn_name_attr
    assert listed["bitrix24"]["hook_name"] == "Bitrix24"


def test_airflow_shows_the_provider_in_full(home: Path) -> None:
    shown = airflow_shows("get", "airflow-provider-b24", "--full", "-o", "json", home=home)

    assert "airflow_provider_b24.hooks.bitrix24.Bitrix24Hook" in shown
    assert "airflow_provider_b24.operators.polls" in shown
    assert "conn-fields" in shown


def test_airflow_builds_the_connection_form_from_the_provider_info() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    widgets = {name for name in manager.connection_form_widgets if name.startswith("extra__bitrix24__")}

    assert {name.removeprefix("extra__bitrix24__") for name in widgets} == set(
        connection_type()["conn-fields"]
    )
    behaviour = manager.field_behaviours["bitrix24"]
    assert behaviour["hidden_fields"] == ["schema"]
    for name in ("relabeling", "placeholders"):
        assert behaviour[name] == Bitrix24Hook.get_ui_field_behaviour()[name]
