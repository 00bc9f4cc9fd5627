"""Which commands one batch takes for which polls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.polls.request import GET, GET_MANY, MAX_LIST_POLLS, PollRequest

MESSAGE, POST = ReferenceKind.MESSAGE, ReferenceKind.POST
ATTACH, SIGNED = ReferenceKind.ATTACH, ReferenceKind.SIGNED
REFERENCES = st.one_of(
    st.builds(PollReference, st.sampled_from([MESSAGE, POST, ATTACH]), st.integers(1, 500)),
    st.builds(PollReference, st.just(SIGNED), st.text("abc", min_size=1)),
)


def request_of(*references: PollReference) -> PollRequest:
    request = PollRequest()
    for reference in references:
        assert request.add(reference)
    return request


def test_polls_of_one_kind_share_a_list_and_others_are_singles() -> None:
    request = request_of(
        PollReference(MESSAGE, 1), PollReference(ATTACH, 2), PollReference(POST, 3), PollReference(MESSAGE, 4)
    )

    assert request.lists == [
        [PollReference(MESSAGE, 1), PollReference(MESSAGE, 4)],
        [PollReference(POST, 3)],
    ]
    assert request.singles == [PollReference(ATTACH, 2)]
    assert request.commands() == {
        0: (
            GET_MANY,
            {
                "moduleId": "im",
                "entityType": "Bitrix\\Vote\\Attachment\\ImMessageConnector",
                "entityIds": [1, 4],
            },
        ),
        1: (
            GET_MANY,
            {
                "moduleId": "blog",
                "entityType": "Bitrix\\Vote\\Attachment\\BlogPostConnector",
                "entityIds": [3],
            },
        ),
        PollReference(ATTACH, 2): (GET, {"attachId": 2}),
    }


@given(st.lists(REFERENCES, max_size=200, unique=True), st.integers(0, 6))
def test_a_request_takes_every_poll_once_and_no_more_commands_than_allowed(
    references: list[PollReference], max_commands: int
) -> None:
    request = PollRequest()
    taken = [reference for reference in references if request.add(reference, max_commands=max_commands)]

    assert sorted(map(str, request)) == sorted(map(str, taken))
    assert len(request) == len(taken)
    assert request.command_count == len(request.commands()) <= max_commands
    assert all(len(part) <= MAX_LIST_POLLS for part in request.lists)
    assert all(len({reference.kind for reference in part}) == 1 for part in request.lists)
