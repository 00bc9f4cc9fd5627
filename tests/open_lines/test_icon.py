"""Icons of connectors: files become Data URIs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.icon import icon_params

if TYPE_CHECKING:
    from pathlib import Path

SVG = "data:image/svg+xml,"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))


def params(icon: Any) -> dict[str, str]:
    return icon_params(icon, "icon", color="#123456")


def test_the_default_icon_is_an_svg_that_parses() -> None:
    found = params(None)
    assert found["DATA_IMAGE"].startswith(SVG)
    root = ElementTree.fromstring(unquote(found["DATA_IMAGE"].removeprefix(SVG)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (found["COLOR"], found["POSITION"]) == ("#123456", "center")


def test_an_svg_file_is_percent_encoded(tmp_path: Path) -> None:
    text = "<svg xmlns='http://www.w3.org/2000/svg'><text>'\"#%é</text></svg>"
    file = tmp_path / "icon.svg"
    file.write_text(text, encoding="utf-8")
    for icon in (file, str(file)):
        uri = params(icon)["DATA_IMAGE"]
        assert unquote(uri.removeprefix(SVG)) == text
        # The portal puts it into a style sheet as it is.
        assert not set("'\"<>#() ") & set(uri)


def test_a_png_file_is_base64(tmp_path: Path) -> None:
    file = tmp_path / "icon.png"
    file.write_bytes(PNG)
    uri = params(str(file))["DATA_IMAGE"]
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,")) == PNG


def test_a_data_uri_is_taken_as_it_is() -> None:
    assert params("data:image/svg+xml,%3Csvg/%3E")["DATA_IMAGE"] == "data:image/svg+xml,%3Csvg/%3E"


def test_a_mapping_sets_colour_size_and_position() -> None:
    found = params({"image": "data:image/png;base64,x", "color": "red", "size": "90%", "position": "left"})
    assert found == {
        "DATA_IMAGE": "data:image/png;base64,x",
        "COLOR": "red",
        "SIZE": "90%",
        "POSITION": "left",
    }
    assert params({"color": "red"})["DATA_IMAGE"] == params(None)["DATA_IMAGE"]


@pytest.mark.parametrize(
    ("icon", "path", "rule"),
    [
        ("/no/such/icon.svg", "icon", "can't be read: No such file or directory: '/no/such/icon.svg'"),
        ("/", "icon", "can't be read: Is a directory: '/'"),
        ("", "icon", "must be the path of an SVG or PNG file, or a Data URI"),
        (5, "icon", "must be the path of an SVG or PNG file, or a Data URI"),
        ("data:image/png;base64," + "x" * 60_000, "icon", "is too large: 60022 characters as a Data URI"),
        ({"colour": "red"}, "icon", "has no key 'colour'; it knows image, color, size, position"),
        ({"color": 5}, "icon.color", "must be a text that CSS takes"),
        ({"size": " "}, "icon.size", "must be a text that CSS takes"),
    ],
)
def test_an_icon_that_is_not_usable_is_refused(icon: Any, path: str, rule: str) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        params(icon)
    assert caught.value.path == path
    assert caught.value.rule.startswith(rule)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b"GIF89a"])
def test_a_file_that_is_neither_svg_nor_png_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "icon.svg"
    file.write_bytes(content)
    with pytest.raises(Bitrix24ValidationError, match="is neither an SVG nor a PNG file"):
        params(file)
