"""Which methods may be sent twice when nobody knows whether the first was executed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_b24.rest import idempotency as methods
from airflow_provider_b24.rest.idempotency import declare, is_idempotent, is_read_only

UUID4 = "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77"


@pytest.mark.parametrize(
    ("method", "repeatable"),
    [
        ("vote.AttachedVote.get", True),
        ("vote.AttachedVote.getMany", True),
        ("vote.AttachedVote.getWithVoted", True),
        ("vote.AttachedVote.getAnswerVoted", True),
        ("vote.AttachedVote.download", True),
        ("vote.AttachedVote.stop", True),
        ("vote.AttachedVote.resume", True),
        ("vote.AttachedVote.recall", True),
        ("vote.AttachedVote.vote", False),
        ("imconnector.register", True),
        ("imconnector.activate", True),
        ("imconnector.unregister", True),
        ("imconnector.connector.data.set", True),
        ("imconnector.chat.name.set", True),
        ("imconnector.set.error", True),
        ("imconnector.send.status.delivery", True),
        ("imconnector.send.status.reading", True),
        ("imopenlines.session.history.get", True),
        ("imopenlines.config.list.get", True),
        ("user.option.get", True),
        ("user.option.set", True),
        ("app.option.set", True),
        ("imconnector.status", True),
        ("imconnector.list", True),
        ("imconnector.update.messages", True),
        ("imconnector.delete.messages", True),
        ("imconnector.send.messages", False),
        ("imopenlines.crm.chat.get", True),
        ("imopenlines.crm.chat.getLastId", True),
        ("imopenlines.crm.message.add", False),
        ("im.message.add", False),
        ("im.chat.add", False),
        ("im.message.delete", False),
        ("im.search.chat.list", True),
        ("user.current", True),
        ("profile", True),
        ("scope", True),
        ("server.time", True),
        ("event.offline.get", False),
        ("event.bind", False),
        ("crm.deal.add", False),
        ("crm.deal.update", False),
        ("crm.deal.get", True),
        ("crm.deal.list", True),
        ("crm.deal.fields", True),
        ("batch", False),
        ("some.new.method", False),
        ("some.getter", False),
        ("get.something.set", False),
    ],
)
def test_methods_are_classified_as_idempotent_or_not(method: str, repeatable: bool) -> None:
    assert is_idempotent(method, {}) is repeatable
    assert is_idempotent(method.upper(), {}) is repeatable


@pytest.mark.parametrize(
    ("template_id", "repeatable"),
    [
        (UUID4, True),
        (UUID4.upper(), False),
        ("0c3c5ad6-a1b8-5d4d-9234-f137ef862a77", False),
        ("0c3c5ad6-a1b8-4d4d-c234-f137ef862a77", False),
        (f"{UUID4}\n", False),
        ("run-1", False),
        ("", False),
        (None, False),
    ],
)
def test_sending_a_poll_is_idempotent_only_with_a_lower_case_uuid4(
    template_id: Any, repeatable: bool
) -> None:
    assert is_idempotent("vote.Integration.Im.send", {"templateId": template_id}) is repeatable


def test_sending_a_poll_without_a_template_id_is_not_idempotent() -> None:
    assert is_idempotent("vote.Integration.Im.send", {"chatId": 1}) is False


def test_declare_overrides_the_classification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "IDEMPOTENT", dict(methods.IDEMPOTENT))
    declare("crm.deal.Update", repeatable=True)
    declare("queue.item.get", repeatable=False)

    assert is_idempotent("crm.deal.update", {}) is True
    assert is_idempotent("Queue.Item.get", {}) is False
    assert is_read_only("queue.item.get") is False


def test_the_names_in_the_tables_are_lower_case() -> None:
    assert all(name == name.lower() for name in methods.IDEMPOTENT | dict.fromkeys(methods.READ_VERBS))


@pytest.mark.parametrize("method", sorted(methods.IDEMPOTENT))
def test_listed_methods_are_not_read_only(method: str) -> None:
    assert is_read_only(method) is False
