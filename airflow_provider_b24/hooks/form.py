"""The connection form for Airflow before 3.2, which builds it from widgets instead of metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def form_widgets(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a wtforms field for each of the metadata's extra fields."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import PasswordField, StringField
    from wtforms.validators import Optional, any_of

    widgets: dict[str, Any] = {}
    for name, spec in fields.items():
        schema = spec["schema"]
        secret = schema.get("format") == "password"
        kind, widget = (
            (PasswordField, BS3PasswordFieldWidget) if secret else (StringField, BS3TextFieldWidget)
        )
        widgets[name] = kind(
            lazy_gettext(spec["label"]),
            # Airflow 3.1 makes a list to choose from of it, and 2.11 refuses another value.
            validators=[Optional(), any_of(schema["enum"])] if "enum" in schema else [Optional()],
            widget=widget(),
            description=spec.get("description"),
            default=schema.get("default"),
        )
    return widgets
