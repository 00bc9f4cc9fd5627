"""The template id of a task: one for all its tries, another for everything else."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.emulator.state.uuids import is_valid
from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.operators.idempotency import task_template_id
from airflow_provider_b24.polls.template_id import check_template_id, fresh_template_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.polls.api import PollsApi

PORTAL = "https://acme.bitrix24.com"
CHAT = "chat1489"
#: The server's own expression.
HONOURED = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@dataclass(frozen=True)
class TaskInstance:
    dag_id: str = "weekly"
    task_id: str = "ask"
    run_id: str = "scheduled__2026-01-05T09:00:00+00:00"
    map_index: int = -1
    max_tries: int = 2
    try_number: int = 1


def id_of(ti: TaskInstance, *, portal: str = PORTAL, dialog: str = CHAT) -> str:
    return task_template_id(ti, portal=portal, dialog=dialog)


task_instances = st.builds(
    TaskInstance,
    dag_id=st.text(min_size=1, max_size=20),
    task_id=st.text(min_size=1, max_size=20),
    run_id=st.text(min_size=1, max_size=20),
    map_index=st.integers(-1, 5000),
    max_tries=st.integers(0, 50),
    try_number=st.integers(1, 50),
)


@settings(max_examples=200, deadline=None)
@given(task_instances)
def test_the_portal_honours_every_task_s_id(ti: TaskInstance) -> None:
    template_id = id_of(ti)
    assert HONOURED.match(template_id)
    assert is_valid(template_id)
    assert check_template_id(template_id) == template_id


@settings(max_examples=100, deadline=None)
@given(task_instances, st.integers(1, 50))
def test_all_tries_share_one_id(ti: TaskInstance, try_number: int) -> None:
    again = replace(ti, try_number=try_number)
    assert id_of(again) == task_template_id(ti, portal=PORTAL, dialog=CHAT)


@pytest.mark.parametrize(
    "other",
    [
        TaskInstance(dag_id="daily"),
        TaskInstance(task_id="ask_again"),
        TaskInstance(run_id="manual__2026-01-05T09:00:00+00:00"),
        TaskInstance(map_index=0),
        TaskInstance(map_index=1),
        TaskInstance(max_tries=3),
        TaskInstance(dag_id="week", task_id="lyask"),
    ],
)
def test_another_task_run_index_or_clearing_has_another_id(other: TaskInstance) -> None:
    assert id_of(other) != task_template_id(TaskInstance(), portal=PORTAL, dialog=CHAT)


def test_another_dialog_has_another_id() -> None:
    dialogs = (CHAT, "chat1490", "1489")
    ids = {id_of(TaskInstance(), dialog=dialog) for dialog in dialogs}
    assert len(ids) == 3


def test_another_portal_has_another_id() -> None:
    ids = {id_of(TaskInstance(), portal=portal) for portal in (PORTAL, "https://b.bitrix24.com")}
    assert len(ids) == 2


@settings(max_examples=100, deadline=None)
@given(task_instances, task_instances)
def test_different_tasks_never_share_an_id(one: TaskInstance, other: TaskInstance) -> None:
    same = replace(one, try_number=1) == replace(other, try_number=1)
    assert (id_of(one) == id_of(other)) is same


def test_the_id_of_a_task_does_not_change_between_versions() -> None:
    # A changed recipe would post a second poll for the task that is retried across an upgrade.
    assert id_of(TaskInstance()) == "794bc470-a102-4a25-838f-ec15b2de84df"


def test_fresh_ids_are_honoured_and_differ() -> None:
    ids = {fresh_template_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(HONOURED.match(template_id) for template_id in ids)


@pytest.mark.parametrize(
    "template_id",
    [
        "D6F023B9-FB04-4AAA-83D2-B99D109FB34D",
        "0de3c28f70794e409b1a6845664da707",
        str(uuid.uuid5(uuid.NAMESPACE_DNS, "acme")),
        "0c3c5ad6-a1b8-1d4d-9234-f137ef862a77",
        "0c3c5ad6-a1b8-4d4d-7234-f137ef862a77",
        "0c3c5ad6-a1b8-4d4d-9234-f137ef862a77\n",
        "weekly poll",
    ],
)
def test_an_id_that_the_portal_would_ignore_is_refused(template_id: str) -> None:
    assert not is_valid(template_id)
    with pytest.raises(Bitrix24ValidationError) as caught:
        check_template_id(template_id)
    assert caught.value.path == "template_id"


def test_tries_of_a_task_make_one_poll_and_a_cleared_task_another(
    polls: PollsApi, ask: Callable[..., int]
) -> None:
    def run(ti: TaskInstance) -> int:
        return ask(template_id=id_of(ti))

    first = run(TaskInstance())
    assert run(TaskInstance(try_number=2)) == first
    assert run(TaskInstance(max_tries=3)) != first
    assert run(TaskInstance(map_index=0)) != first
