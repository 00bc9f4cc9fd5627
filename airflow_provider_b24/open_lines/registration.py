"""What a connector is registered with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.ids import parse_connector_id
from airflow_provider_b24.open_lines.icon import COLOR, DISABLED_COLOR, icon_params

#: What the portal lets a connector do; all are on unless the connector says otherwise.
FLAGS = (
    "del_external_messages",
    "edit_internal_messages",
    "del_internal_messages",
    "newsletter",
    "need_system_messages",
    "need_signature",
)
#: What a line's widget shows of a connector.
DATA_KEYS = ("id", "url", "url_im", "name")


def registration_params(
    *,
    connector: Any,
    name: Any,
    handler_url: Any,
    icon: Any = None,
    icon_disabled: Any = None,
    chat_group: Any = False,
    options: Any = None,
) -> dict[str, Any]:
    """Return the parameters of ``imconnector.register``, every one of them.

    The portal keeps what a second registration leaves out, so nothing is left out.

    :raises Bitrix24ValidationError: when one is not usable.
    """
    return {
        "ID": parse_connector_id(connector),
        "NAME": check_name(name, "name"),
        "ICON": icon_params(icon, "icon", color=COLOR),
        "ICON_DISABLED": _disabled_params(icon, icon_disabled),
        "PLACEMENT_HANDLER": check_url(handler_url, "handler_url"),
        "CHAT_GROUP": check_flag(chat_group, "chat_group"),
        **{flag.upper(): value for flag, value in check_options(options).items()},
    }


def data_params(data: Any, *, connector: str, line: int, name: str) -> dict[str, str]:
    """Return the ``DATA`` of ``imconnector.connector.data.set``.

    :param data: ``id``, ``url``, ``url_im`` and ``name``; what is missing of id and name has a default.
    :raises Bitrix24ValidationError: when a key is unknown or a value is empty, which the portal ignores.
    """
    default = {"id": f"{connector}_line{line}", "name": name}
    return {key.upper(): value for key, value in {**default, **check_data(data)}.items()}


def check_data(data: Any) -> dict[str, str]:
    """Return the data that a caller gives, checked.

    :param data: a mapping, or None.
    :raises Bitrix24ValidationError: when it is not usable.
    """
    if data is None:
        return {}
    given = _mapping(data, "data", DATA_KEYS)
    for key, value in given.items():
        if not isinstance(value, str) or not value.strip() or value.strip() == "0":
            raise Bitrix24ValidationError(
                f"data.{key}", "must be text; the portal ignores an empty value and '0'"
            )
        if key.startswith("url"):
            check_url(value, f"data.{key}")
    return given


def check_options(options: Any) -> dict[str, bool]:
    """Return all flags of a connector, with those that a caller gives.

    :param options: a mapping, or None.
    :raises Bitrix24ValidationError: when a flag is unknown or no boolean.
    """
    given = {} if options is None else _mapping(options, "options", FLAGS)
    for flag, value in given.items():
        check_flag(value, f"options.{flag}")
    return {flag: given.get(flag, True) for flag in FLAGS}


def check_flag(value: Any, path: str) -> bool:
    """Return a switch.

    :raises Bitrix24ValidationError: when it is no boolean.
    """
    if not isinstance(value, bool):
        raise Bitrix24ValidationError(path, "must be True or False")
    return value


def check_name(name: Any, path: str) -> str:
    """Return a name: text that is not blank, and not the "0" that the portal takes for no text.

    :raises Bitrix24ValidationError: when it is not one.
    """
    if not isinstance(name, str) or not name.strip() or name.strip() == "0":
        raise Bitrix24ValidationError(path, "must be text, and neither blank nor '0'")
    return name.strip()


def check_url(url: Any, path: str) -> str:
    """Return a link.

    :raises Bitrix24ValidationError: when it is none.
    """
    text = url.strip() if isinstance(url, str) else ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, text)):
        raise Bitrix24ValidationError(path, "must be a link that starts with https:// or http://")
    return text


def digest(params: Mapping[str, Any]) -> str:
    """Return a text that is another one for other parameters.

    :param params: JSON values.
    """
    text = json.dumps(params, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _disabled_params(icon: Any, icon_disabled: Any) -> dict[str, str]:
    """Return the icon of a connector that is off: the same on another background, or its own."""
    if icon_disabled is None and isinstance(icon, Mapping):
        icon_disabled = {key: value for key, value in icon.items() if key != "color"}
    given = icon if icon_disabled is None else icon_disabled
    return icon_params(given, "icon_disabled", color=DISABLED_COLOR)


def _mapping(value: Any, path: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Bitrix24ValidationError(path, f"must be a mapping of {', '.join(keys)}")
    given = {str(key).lower(): item for key, item in value.items()}
    for key in given:
        if key not in keys:
            raise Bitrix24ValidationError(path, f"has no key {key!r}; it knows {', '.join(keys)}")
    return given
