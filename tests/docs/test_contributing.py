"""CONTRIBUTING.md says what is so."""

from __future__ import annotations

from tests.support.snippets import claimed_blocks


def test_the_example_of_a_commit_message_keeps_the_rules() -> None:
    (message,) = claimed_blocks("../CONTRIBUTING.md", "text")
    subject, empty, *body = message.splitlines()

    assert len(subject) <= 72
    assert (empty, bool(body)) == ("", True)
    assert not subject.endswith(".")
