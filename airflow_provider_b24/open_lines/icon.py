"""A connector's icon: an SVG or PNG file becomes the Data URI that the portal wants."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_b24.exceptions import Bitrix24ValidationError

#: The icon that is taken when a task names none.
DEFAULT_ICON = Path(__file__).with_name("connector.svg")
COLOR, DISABLED_COLOR = "#69acc0", "#99adb3"
_LAYOUT = {"size": "70%", "position": "center"}
_KEYS = ("image", "color", "size", "position")
_PNG = b"\x89PNG\r\n\x1a\n"
#: The portal keeps the icon in a text column of 64 KB, with the rest of the object.
_MAX_LENGTH = 60_000


def icon_params(icon: Any, path: str, *, color: str) -> dict[str, str]:
    """Return an icon as ``imconnector.register`` takes it.

    :param icon: None for the default; the path of an SVG or PNG file; a Data URI; or a mapping with
        ``image`` (one of these) and ``color``, ``size``, ``position`` in CSS notation.
    :param path: how an error calls the icon.
    :param color: the background if the icon names none.
    :raises Bitrix24ValidationError: when it is not usable.
    """
    given = {"image": icon} if not isinstance(icon, Mapping) else dict(icon)
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise Bitrix24ValidationError(path, f"has no key {unknown[0]!r}; it knows {', '.join(_KEYS)}")
    image = given.pop("image", None)
    for key, value in given.items():
        if not isinstance(value, str) or not value.strip():
            raise Bitrix24ValidationError(f"{path}.{key}", "must be a text that CSS takes")
    layout = {"color": color, **_LAYOUT, **given}
    return {"DATA_IMAGE": _data_uri(image, path), **{key.upper(): value for key, value in layout.items()}}


def _data_uri(image: Any, path: str) -> str:
    if isinstance(image, str) and image.startswith("data:image/"):
        return _checked_length(image, path)
    return _checked_length(_encode(_read(image, path), path), path)


def _read(image: Any, path: str) -> bytes:
    if image is None:
        return DEFAULT_ICON.read_bytes()
    if not isinstance(image, str | Path) or not str(image).strip():
        raise Bitrix24ValidationError(path, "must be the path of an SVG or PNG file, or a Data URI")
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise Bitrix24ValidationError(path, f"can't be read: {error.strerror}: {str(image)!r}") from None


def _encode(content: bytes, path: str) -> str:
    if content.startswith(_PNG):
        return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = ""
    if "<svg" not in text:
        raise Bitrix24ValidationError(path, "is neither an SVG nor a PNG file")
    return "data:image/svg+xml," + quote(text, safe="")


def _checked_length(uri: str, path: str) -> str:
    if len(uri) > _MAX_LENGTH:
        raise Bitrix24ValidationError(
            path, f"is too large: {len(uri)} characters as a Data URI, and the portal takes {_MAX_LENGTH}"
        )
    return uri
