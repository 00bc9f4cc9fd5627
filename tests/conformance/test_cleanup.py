"""What a run has posted is removed, whatever the portal does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.conformance.areas.application import _connector
from airflow_provider_b24.conformance.cleanup import clean_up
from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from tests.conformance.conftest import Site


def test_polls_messages_chats_and_connectors_are_removed(site: Site, airflow_database: None) -> None:
    trial = site.trial("oauth")
    trial.send("one")
    chat_id = trial.new_chat()
    trial.send("two", chat_id=chat_id)
    connector = _connector(trial)

    assert clean_up(trial) == 0
    assert site.portal.polls() == []
    assert site.portal.portal.chats.get(chat_id).members == []
    assert site.portal.portal.lines.connectors.get(connector) is None


def test_a_poll_that_cannot_be_deleted_is_stopped_and_counted(site: Site) -> None:
    trial = site.trial()
    trial.send("one")
    refusal = {"error": "CANT_EDIT_MESSAGE", "error_description": "Time has expired"}
    site.portal.faults.add(
        "reply", method="im.message.delete", times=None, body=json.dumps(refusal), status=400, executed=False
    )

    assert clean_up(trial) == 1
    assert [poll.is_finished(site.clock()) for poll in site.portal.polls()] == [True]


@pytest.mark.usefixtures("impatient")
def test_a_poll_whose_reply_was_lost_is_found_by_its_mark(site: Site) -> None:
    trial = site.trial()
    site.portal.faults.add("drop_after", method="vote.Integration.Im.send", times=None)
    with pytest.raises(Bitrix24Error):
        trial.send("one")
    site.portal.faults.clear()
    assert len(site.portal.polls()) == 1

    assert clean_up(trial) == 0
    assert site.portal.polls() == []


def test_messages_of_other_people_and_other_runs_stay(site: Site) -> None:
    trial, other = site.trial(), site.trial()
    other.send("another run")
    site.portal.say(site.chat_id, 2, trial.text("quoted by somebody"))
    before = len(site.portal.messages(site.chat_id))

    assert clean_up(trial) == 0
    assert len(site.portal.messages(site.chat_id)) == before


@pytest.mark.usefixtures("impatient")
def test_one_failure_does_not_keep_the_rest_from_being_removed(site: Site) -> None:
    trial = site.trial()
    for subject in ("one", "two", "three"):
        trial.send(subject)
    site.portal.faults.add("drop_before", method="im.message.delete", times=3)
    site.portal.faults.add("drop_before", method="vote.AttachedVote.stop", times=None)

    left = clean_up(trial)

    assert left >= 1
    assert len(site.portal.polls()) == left
