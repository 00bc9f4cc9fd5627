"""Rows of files, and what is no row."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.open_lines.pushing.source import CsvSource, JsonLinesSource, ListSource, file_source
from airflow_provider_b24.utils.files import write_file
from tests.support.storage import in_memory_storage

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, content: bytes) -> list[tuple[int, Any, str]]:
    path.write_bytes(content)
    return [(row.number, row.item, row.problem) for row in JsonLinesSource(str(path))]


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path / "m", b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}') == [
        (1, {"a": 1}, ""),
        (4, {"b": 2}, ""),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "is not JSON"),
        (b'{"a": NaN}', "is not JSON: NaN is no JSON value"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b'{"a": "\\ud83d"}', "holds half a surrogate pair"),
        (b'"' + b"x" * 2**20 + b'"', "is longer than 1,048,576 bytes"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_line_that_can_not_be_read_is_one_bad_row(tmp_path: Path, line: bytes, problem: str) -> None:
    first, bad, last = rows(tmp_path / "m", b'{"a":1}\n' + line + b'\n{"b":2}\n')
    assert (first[1], last[1], bad[0]) == ({"a": 1}, {"b": 2}, 2)
    assert bad[2].startswith(problem)


def test_a_whole_surrogate_pair_is_fine(tmp_path: Path) -> None:
    assert rows(tmp_path / "m", b'"\\ud83d\\ude00"') == [(1, "\U0001f600", "")]


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=8))
def test_any_bytes_give_rows_and_no_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "m"
    path.write_bytes(b"\n".join(lines))
    numbers = [row.number for row in JsonLinesSource(str(path))]
    assert numbers == sorted(set(numbers))
    with suppress(Bitrix24ValidationError):
        assert all(row.number >= 1 for row in CsvSource(str(path), {}))


def test_a_source_can_be_read_twice(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b'{"a":1}\n')
    for source in (JsonLinesSource(str(tmp_path / "m")), ListSource(iter([1, 2]))):
        assert [row.item for row in source] == [row.item for row in source] != []


@pytest.mark.parametrize("given", ["text", b"bytes", {"a": 1}, 5, None, []])
def test_what_is_no_list_of_messages_is_refused(given: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="messages"):
        ListSource(given)


def test_a_csv_row_with_too_few_cells_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b'id,text\n1\n2,"a ""quoted"" text"\n')
    found = list(file_source(str(path), mapping={"message.id": "id", "message.text": "text"}))
    assert found[0].problem == "has fewer cells than the header"
    assert found[1].item == {"message": {"id": "2", "text": 'a "quoted" text'}}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("m1;u1;Здравствуйте; где заказ?;order-7", "has more cells than the header"),
        ("m1;u1;Здравствуйте;order-7;", "has more cells than the header"),
        ("m1;u1;Здравствуйте", "has fewer cells than the header"),
        ("m1;u1;Здравствуйте;order-7", ""),
        (" ;", None),
    ],
)
def test_a_csv_row_has_as_many_cells_as_the_header(tmp_path: Path, line: str, problem: str | None) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"id;who;text;chat\n{line}\n", encoding="utf-8")
    # The last column is not mapped: a row is checked whole.
    mapping = {"message.id": "id", "user.id": "who", "message.text": "text"}
    found = [row.problem for row in file_source(str(path), mapping=mapping, delimiter=";")]
    assert found == ([] if problem is None else [problem])


def test_a_json_object_with_one_key_twice_is_one_bad_row(tmp_path: Path) -> None:
    ((_, item, problem),) = rows(tmp_path / "m", b'{"message": {"text": "one", "text": "two"}}')
    assert (item, problem) == (None, "is not JSON: the key 'text' stands twice in an object")


RUSSIAN = "номер,кто,текст\n1,п1,Здравствуйте! Где мой заказ?\n"


@pytest.mark.parametrize(
    "encoding", ["cp1251", "utf-16", "utf-16-le", "utf-8", "utf-8-sig", "koi8-r", "cp866"]
)
def test_csv_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(RUSSIAN.encode(encoding))
    mapping = {"message.id": "номер", "message.text": "текст"}
    (row,) = file_source(str(path), mapping=mapping, encoding=encoding)
    assert row.item == {"message": {"id": "1", "text": "Здравствуйте! Где мой заказ?"}}


@pytest.mark.parametrize(
    ("encoding", "likely"),
    [
        ("cp1251", "Windows-1251: give encoding='cp1251'"),
        ("cp866", "DOS 866: give encoding='cp866'"),
        ("koi8-r", "KOI8-R: give encoding='koi8-r'"),
        ("utf-16", "UTF-16: give encoding='utf-16'"),
        ("utf-16-le", "UTF-16: give encoding='utf-16-le'"),
        ("utf-16-be", "UTF-16: give encoding='utf-16-be'"),
    ],
)
def test_csv_in_another_encoding_is_refused_with_the_likely_one(
    tmp_path: Path, encoding: str, likely: str
) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(RUSSIAN.encode(encoding))
    with pytest.raises(Bitrix24ValidationError) as caught:
        list(file_source(str(path), mapping={"message.id": "номер"}))
    assert str(caught.value) == f"path: the file is not UTF-8; it looks like {likely}."


def test_a_row_in_another_encoding_than_the_header_says_which(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes("id,text\n1,Привет всем\n2,Hi\n".encode("cp1251"))
    bad, good = file_source(str(path), mapping={"message.id": "id", "message.text": "text"})
    assert bad.problem == "is not UTF-8; it looks like Windows-1251: give encoding='cp1251'"
    assert (good.problem, good.item) == ("", {"message": {"id": "2", "text": "Hi"}})


def test_utf_8_is_not_read_as_letters_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("id,text\n1,Привет всем\n", encoding="utf-8")
    mapping = {"message.id": "id", "message.text": "text"}
    (row,) = file_source(str(path), mapping=mapping, encoding="cp1251")
    assert row.problem == "is not Windows-1251; it looks like UTF-8: give encoding='utf-8'"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_long_lines_are_bad_rows_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(f"id,text\n1,{'ж' * 2**20}\n2,Hi\n".encode(encoding))
    found = list(file_source(str(path), mapping={"message.text": "text"}, encoding=encoding))
    assert [row.problem for row in found] == ["is longer than 1,048,576 bytes", ""]


def test_json_lines_are_read_in_their_encoding(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes('{"a": "Привет"}\n{"a": "всем"}\n'.encode("utf-16"))
    found = [row.item for row in file_source(str(path), encoding="UTF-16")]
    assert found == [{"a": "Привет"}, {"a": "всем"}]
    problems = [row.problem for row in file_source(str(path))]
    assert problems[0] == "is not UTF-8; it looks like UTF-16: give encoding='utf-16'"
    assert problems[1].startswith("is not UTF-8; it looks like UTF-16")


@pytest.mark.parametrize("encoding", ["", "utf-9", "base64", None, 8, "rot13"])
def test_what_is_no_encoding_of_text_is_refused(encoding: Any) -> None:
    with pytest.raises(Bitrix24ValidationError, match="encoding: must be an encoding of text"):
        file_source("m.jsonl", encoding=encoding)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "must name a file"),
        ("no.jsonl", "there is no file"),
        ("file/no.jsonl", "must name a file"),
        ("pipe", "must name a regular file"),
    ],
)
def test_a_path_that_leads_to_no_file_is_refused(tmp_path: Path, name: str, rule: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Bitrix24ValidationError, match=f"path: {rule}"):
        list(file_source(str(tmp_path / name)))


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(path)

    (tmp_path / "m").touch()
    monkeypatch.setattr("airflow_provider_b24.open_lines.pushing.source_file.open_file", refuse)
    with pytest.raises(Bitrix24ValidationError, match="the worker's user may not read"):
        list(file_source(str(tmp_path / "m")))


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(Bitrix24ValidationError, match="can't be opened"):
        list(file_source("nonsense://bucket/m.jsonl"))


def csv_rows(path: Path, content: str) -> list[tuple[int, str, str]]:
    """Return number, text and problem of each row of a CSV file with the columns ``id,who,text``."""
    path.write_text(content, encoding="utf-8", newline="")
    mapping = {"message.id": "id", "user.id": "who", "message.text": "text"}
    return [
        (row.number, ((row.item or {}).get("message") or {}).get("text", ""), row.problem)
        for row in file_source(str(path), mapping=mapping)
    ]


def test_a_missing_quote_of_csv_breaks_its_own_row_and_none_of_those_that_it_swallows(tmp_path: Path) -> None:
    lines = ["id,who,text", *(f"{number},p1,Hello {number}" for number in range(2, 201))]
    lines[50 - 1] = '50,p1,"Hello 50'
    lines[150 - 1] = '150,p1,"Hello, 150"'
    found = csv_rows(tmp_path / "m.csv", "\n".join(lines))

    assert [number for number, _, _ in found] == list(range(2, 201))
    assert [row for row in found if row[2]] == [
        (50, "", "is not CSV: ',' expected after '\"' (read up to line 150)")
    ]
    assert found[150 - 2] == (150, "Hello, 150", "")
    assert found[51 - 2] == (51, "Hello 51", "")


def test_a_missing_quote_of_csv_without_another_one_breaks_its_own_row_only(tmp_path: Path) -> None:
    found = csv_rows(tmp_path / "m.csv", 'id,who,text\n1,p1,"Hi\n2,p1,Hi\n3,p1,Hi\n')
    assert [(number, problem[:24]) for number, _, problem in found] == [
        (2, "is not CSV: unexpected e"), (3, ""), (4, ""),
    ]  # fmt: skip


def test_text_behind_a_broken_quote_of_csv_is_no_message(tmp_path: Path) -> None:
    text = 'id,who,text\n1,p1,"She said\n"yes", and then\nno, really\nbye"\n2,p1,Hi\n'
    found = csv_rows(tmp_path / "m.csv", text)
    assert [number for number, _, problem in found if problem] == [2, 3, 4, 5]
    assert found[-1] == (6, "Hi", "")


def test_a_csv_row_is_known_by_the_line_where_it_begins(tmp_path: Path) -> None:
    found = csv_rows(tmp_path / "m.csv", 'id,who,text\n1,p1,"two\nlines"\n\n2,p1,Hi\n')
    assert found == [(2, "two\nlines", ""), (5, "Hi", "")]


def test_a_csv_row_of_many_lines_that_is_too_long_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_b24.open_lines.pushing.source._MAX_LINE", 100)
    cells = ",".join(['"' + "x\n" * 20 + '"'] * 3)
    found = csv_rows(tmp_path / "m.csv", f"id,who,text\n1,p1,{cells}\n2,p1,Hi\n")
    assert found[0] == (2, "", "is longer than 1,048,576 bytes (read up to line 46)")
    assert [row for row in found if not row[2]] == [(63, "Hi", "")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_csv_line_that_is_too_long_is_one_bad_row(tmp_path: Path, quote: str) -> None:
    cells = ",".join(["z" * 7000] * 200)
    found = csv_rows(tmp_path / "m.csv", f"id,who,text\n1,p1,{quote}Hi,{cells},p2,Hi\n2,p1,Hi\n")
    assert found == [(2, "", "is longer than 1,048,576 bytes"), (3, "Hi", "")]


def test_a_quote_that_swallows_a_csv_line_that_is_too_long_makes_two_bad_rows(tmp_path: Path) -> None:
    found = csv_rows(tmp_path / "m.csv", f'id,who,text\n1,p1,"Hi\n2,p1,{"z" * 2**20}\n3,p1,Hi\n')
    assert found == [
        (2, "", "is longer than 1,048,576 bytes (read up to line 3)"),
        (3, "", "is longer than 1,048,576 bytes"),
        (4, "Hi", ""),
    ]


def numbered(kind: str, count: int) -> str:
    """Return a file's text with messages of about one size."""
    if kind == "csv":
        return "id,who,text\n" + "".join(f"{n:03},{n:03},Hello\n" for n in range(count))
    rows = ({"message": {"id": f"{n:03}"}, "user": {"id": f"{n:03}"}} for n in range(count))
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("place", ["disk", "memory"])
def test_the_number_of_messages_in_a_file_is_estimated_while_it_is_read(
    tmp_path: Path, kind: str, place: str
) -> None:
    in_memory_storage()
    path = f"memory://night/{tmp_path.name}.{kind}" if place == "memory" else str(tmp_path / f"night.{kind}")
    write_file(path, numbered(kind, 200).encode())
    source = file_source(path, mapping={"user.id": "who", "message.id": "id"} if kind == "csv" else None)
    assert source.size is None
    sizes = [source.size for _ in source]

    assert sizes[99] == pytest.approx(200, rel=0.05)
    assert source.size == 200


def test_the_number_of_messages_in_an_empty_file_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    source = file_source(str(path))

    assert list(source) == []
    assert source.size is None
