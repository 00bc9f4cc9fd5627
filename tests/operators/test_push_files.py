"""The files that a push reads and writes are checked before a message goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24Error, Bitrix24ValidationError
from airflow_provider_b24.operators.open_lines import Bitrix24SendConnectorMessagesOperator

from .test_connector_push import Night, row

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_b24.emulator import Emulator

MAPPING = {"user.id": "Кто", "message.id": "Номер", "message.text": "Текст", "chat.id": "Чат"}


@pytest.fixture
def night(portal: Emulator, application: str, tmp_path: Path) -> Night:
    return Night(portal, application, tmp_path, "report")


@pytest.mark.parametrize("link", ["itself", "symlink", "folder"])
def test_messages_are_not_overwritten_by_their_report(night: Night, link: str) -> None:
    night.write(row(1))
    before = night.path.read_bytes()
    night.report_path = night.path.parent / link
    if link == "itself":
        night.report_path = night.path
    elif link == "symlink":
        night.report_path.symlink_to(night.path)
    else:
        night.report_path.mkdir()
    with pytest.raises(Bitrix24ValidationError, match="report_path"):
        night.run()
    assert (night.texts, night.path.read_bytes()) == ([], before)


def test_a_csv_file_of_windows_is_pushed_with_its_encoding(night: Night) -> None:
    text = "Номер;Кто;Текст;Чат\nm1;p1;Здравствуйте! Где заказ?;order-7\n"
    night.path = night.path.with_suffix(".csv")
    night.path.write_bytes(text.encode("cp1251"))
    night.options |= {"mapping": MAPPING, "delimiter": ";"}
    with pytest.raises(Bitrix24ValidationError) as caught:
        night.run()
    assert "it looks like Windows-1251: give encoding='cp1251'" in str(caught.value)
    night.options["encoding"] = "windows-1251"
    assert night.run()["accepted"] == 1
    assert night.texts == ["Здравствуйте! Где заказ?"]


@pytest.mark.parametrize(
    "options", [{"delimiter": ""}, {"delimiter": ";;"}, {"encoding": "utf-9"}, {"encoding": ""}]
)
def test_a_wrong_delimiter_or_encoding_is_refused_at_parse_time(options: dict[str, Any]) -> None:
    with pytest.raises(Bitrix24ValidationError, match=next(iter(options))):
        Bitrix24SendConnectorMessagesOperator(
            task_id="t", connector="shop", line=1, path="m.csv", mapping=MAPPING, **options
        )


def test_a_text_of_an_error_can_always_be_written() -> None:
    error = Bitrix24Error("a\udcef", code="b\ud800", description="c\udfff", method="m")
    refused = Bitrix24ValidationError("messages[0].\udcef", "is \udcef")
    for given in (error, refused):
        f"{given} {given!r} {given.to_dict()} {given.args}".encode()
    assert (refused.path, refused.rule) == (r"messages[0].\udcef", r"is \udcef")
