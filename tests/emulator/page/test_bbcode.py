"""BB codes of messages: what the messenger shows, and that nothing else becomes markup."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.emulator.page.bbcode import Node, parse, plain

RULE = "-" * 54
CODES = (
    "[b] [/b] [I] [/I] [url] [url=https://a.example/] [url=javascript:x] [/url] [user=2] [user=all] [/user]"
)
TEXTS = "[br] >> https://a.example/x. /page text <b> ["
PIECES = st.sampled_from([*CODES.split(), *TEXTS.split(), "\n", RULE])


def link(href: str, *inside: Node) -> dict[str, Any]:
    return {"tag": "url", "href": href, "in": list(inside or [href])}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", ["plain"]),
        ("a [b]bold[/B] z", ["a ", {"tag": "b", "in": ["bold"]}, " z"]),
        ("[i][u][s]x[/s][/u][/i]", [{"tag": "i", "in": [{"tag": "u", "in": [{"tag": "s", "in": ["x"]}]}]}]),
        ("one[br]two[BR]three", ["one\ntwo\nthree"]),
        ("[url]https://a.example/?q=1[/url]", [link("https://a.example/?q=1")]),
        ("[url=https://a.example]here[/url]", [link("https://a.example", "here")]),
        ("[url=/vote-result/x][b]R[/b][/url]", [link("/vote-result/x", {"tag": "b", "in": ["R"]})]),
        ("see https://a.example/b.", ["see ", link("https://a.example/b"), "."]),
        ("[url=https://a.example]https://b.example[/url]", [link("https://a.example", "https://b.example")]),
        ("[user=2]Anna[/user], vote", [{"tag": "user", "id": "2", "in": ["Anna"]}, ", vote"]),
        ("[USER=all]All[/USER]", [{"tag": "user", "id": "all", "in": ["All"]}]),
    ],
)
def test_a_code_is_shown_as_what_it_means(text: str, shown: list[Node]) -> None:
    assert parse(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[b]never closed",
        "[/b]never opened",
        "[b=1]x[/b]",
        "[url=javascript:alert(1)]x[/url]",
        "[url=//evil.example]x[/url]",
        "[url=/\\evil.example]x[/url]",
        "[url]no address[/url]",
        "[user]x[/user]",
        "[user=x]y[/user]",
        "[script]x[/script]",
        "a >> b",
        "-" * 53,
    ],
)
def test_what_is_no_code_is_shown_as_written(text: str) -> None:
    assert parse(text) == [text]


def test_codes_that_overlap_keep_the_outer_one() -> None:
    assert parse("[b]x[i]y[/b]z[/i]") == [{"tag": "b", "in": ["x[i]y"]}, "z[/i]"]


def test_lines_with_arrows_are_one_quote() -> None:
    assert parse("a\n>>one\n>>[b]two[/b]\nb") == [
        "a\n",
        {"tag": "quote", "in": ["one\n", {"tag": "b", "in": ["two"]}]},
        "b",
    ]


def test_a_quoted_message_names_its_author() -> None:
    text = f"{RULE}\nAnna Petrova [10:15]\nShip it\n{RULE}\nYes"
    assert parse(text) == [{"tag": "quote", "author": "Anna Petrova", "in": ["Ship it"]}, "Yes"]


def test_a_quote_between_rules_needs_no_author() -> None:
    assert parse(f"{RULE}\nShip it\n{RULE}") == [{"tag": "quote", "in": ["Ship it"]}]


def test_plain_text_has_no_codes() -> None:
    assert (
        plain(parse("[b]Café[/b][br]Office: 2\n[url=https://a.example]all[/url]")) == "Café\nOffice: 2\nall"
    )


@given(st.lists(PIECES, max_size=30).map("".join) | st.text())
def test_no_text_makes_a_link_to_a_script_or_an_unknown_tag(text: str) -> None:
    nodes = parse(text)
    json.dumps(nodes)
    for node in walk(nodes):
        assert node["tag"] in {"b", "i", "u", "s", "url", "user", "quote"}
        if node["tag"] == "url":
            assert node["href"].startswith(("https://", "http://", "/"))
            assert not node["href"].startswith(("//", "/\\"))


@given(st.text().filter(lambda text: not any(mark in text for mark in ("[", ">>", "://", RULE))))
def test_a_text_without_codes_stays_as_it_is(text: str) -> None:
    assert plain(parse(text)) == text


def test_thousands_of_nested_codes_are_no_burden() -> None:
    json.dumps(parse("[b]" * 5000 + "x" + "[/b]" * 5000))


def walk(nodes: list[Node]) -> Any:
    for node in nodes:
        if not isinstance(node, str):
            yield node
            yield from walk(node["in"])
