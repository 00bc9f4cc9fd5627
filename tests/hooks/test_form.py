"""The form fields for Airflow before 3.2, with stand-ins for the libraries that only it has."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_b24.get_provider_info import get_provider_info
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook


class Field:
    def __init__(self, label: str, *, widget: Any, description: str) -> None:
        self.label, self.widget, self.description = label, widget, description


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
