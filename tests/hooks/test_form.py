"""The form fields for Airflow before 3.2, with stand-ins for the libraries that only it has."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.get_provider_info import get_provider_info
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook


class Field:
    def __init__(
        self, label: str, *, validators: list[Any], widget: Any, description: str, default: str | None
    ) -> None:
        self.label, self.widget, self.description = label, widget, description
        self.validators, self.default = validators, default


class PasswordField(Field): ...


class StringField(Field): ...


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Field]:
    stands = {
        "flask_appbuilder": {},
        "flask_appbuilder.fieldwidgets": {
            "BS3PasswordFieldWidget": SimpleNamespace,
            "BS3TextFieldWidget": object,
        },
        "flask_babel": {"lazy_gettext": str},
        "wtforms": {"PasswordField": PasswordField, "StringField": StringField},
        "wtforms.validators": {"Optional": lambda: "optional", "any_of": tuple},
    }
    for name, members in stands.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return Bitrix24Hook.get_connection_form_widgets()


def fields() -> dict[str, Any]:
    return get_provider_info()["connection-types"][0]["conn-fields"]


def test_each_extra_of_the_metadata_has_a_field_with_its_label(widgets: dict[str, Field]) -> None:
    shown = {name: (field.label, field.description) for name, field in widgets.items()}

    assert shown == {name: (spec["label"], spec["description"]) for name, spec in fields().items()}


def test_exactly_the_secrets_are_password_fields(widgets: dict[str, Field]) -> None:
    hidden = {name for name, field in widgets.items() if isinstance(field, PasswordField)}

    assert hidden == {"refresh_token", "access_token", "proxies"}


def test_a_plan_is_one_of_those_that_the_metadata_names(widgets: dict[str, Field]) -> None:
    assert widgets["plan"].validators == ["optional", ("standard", "enterprise", "self_hosted")]
    assert widgets["plan"].default == "standard"
    assert widgets["timeout"].validators == ["optional"]


def test_the_port_which_only_the_test_button_of_3_3_needs_is_hidden_before() -> None:
    before, now = Bitrix24Hook.get_ui_field_behaviour(), get_provider_info()["connection-types"][0]
    assert set(before["hidden_fields"]) == {"schema", "port"}
    assert set(now["ui-field-behaviour"]["hidden-fields"]) == {"schema"}
    assert before["relabeling"] == now["ui-field-behaviour"]["relabeling"]


def test_labels_fit_beside_their_fields() -> None:
    labels = [
        *Bitrix24Hook.get_ui_field_behaviour()["relabeling"].values(),
        *(row["label"] for row in fields().values()),
    ]
    assert max(map(len, labels)) <= 32
