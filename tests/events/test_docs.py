"""The page on events, run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.triggers.event_queue.options import ReaderOptions
from tests.support.replies import REPLY, Replies
from tests.support.snippets import run_snippets

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator


def test_the_page_s_snippets_run(portal: Emulator, application: str, airflow_database: None) -> None:
    assert application == "bitrix24_app"
    replies = Replies(portal)
    bind = portal.portal.events.handlers.add

    def bind_and_reply(handler: object) -> bool:
        """Let the operator reply as soon as the page has subscribed, and again for its last snippet."""
        bound = bind(handler)  # type: ignore[arg-type]
        replies.say("It is on its way", "And here it is")
        return bound

    portal.portal.events.handlers.add = bind_and_reply  # type: ignore[method-assign]
    left = run_snippets("events.md")
    assert left["reply"]["event"] == REPLY
    assert left["dag"].dag_id == "handle_replies"
    (status,) = [
        one for one in portal.messages(replies.chat) if one.params.get("CONNECTOR_MID") == ["my-id-9"]
    ]
    assert status.text == "It is on its way"


def test_the_page_says_how_long_airflow_before_3_3_waits() -> None:
    assert (ReaderOptions().clear_after, ReaderOptions().plan_delay) == (10, 600)
