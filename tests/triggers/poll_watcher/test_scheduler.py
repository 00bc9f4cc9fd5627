"""Which polls are read together and when, played through with a clock of the test's own."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind
from airflow_provider_b24.rest.rate_limit import PLANS, Plan
from airflow_provider_b24.triggers.poll_watcher.scheduler import GATHER, SHORTEST_INTERVAL, Request, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MESSAGE, POST = ReferenceKind.MESSAGE, ReferenceKind.POST
ATTACH, SIGNED = ReferenceKind.ATTACH, ReferenceKind.SIGNED
STANDARD = PLANS["standard"]


def messages(count: int) -> list[PollReference]:
    return [PollReference(MESSAGE, number) for number in range(1, count + 1)]


class Play:
    """A feed without a portal: it asks when the schedule says so, and every answer is that nobody voted."""

    def __init__(self, schedule: Schedule, *, latency: float = 0.0) -> None:
        self.schedule = schedule
        self.now = 0.0
        self.latency = latency
        self.sent: list[tuple[float, Request]] = []
        self.looks: defaultdict[PollReference, list[float]] = defaultdict(list)

    def add(self, references: Iterable[PollReference], interval: float = 10.0) -> None:
        for reference in references:
            self.schedule.add(reference, interval, self.now)

    def ask(self) -> Request:
        """Send the next request, whenever that is."""
        at = self.schedule.next_at(self.now)
        assert at is not None
        self.now = max(self.now, at)
        request = self.schedule.take(self.now)
        self.sent.append((self.now, request))
        for reference in request:
            self.looks[reference].append(self.now)
        return request

    def answer(self, request: Request) -> None:
        self.now += self.latency
        self.schedule.read(request, self.now)

    def until(self, end: float) -> None:
        while (at := self.schedule.next_at(self.now)) is not None and at <= end:
            self.answer(self.ask())
        self.now = max(self.now, end)

    def requests_between(self, begin: float, end: float) -> list[Request]:
        return [request for at, request in self.sent if begin <= at < end]


@pytest.fixture
def play() -> Play:
    return Play(Schedule())


def test_nobody_waits_so_nothing_is_sent(play: Play) -> None:
    assert play.schedule.next_at(0.0) is None


def test_a_new_poll_is_looked_at_at_once_and_then_every_interval(play: Play) -> None:
    play.add(messages(1), interval=10.0)
    play.until(35.0)

    assert [round(at, 2) for at, _ in play.sent] == [GATHER, GATHER + 10, GATHER + 20, GATHER + 30]


def test_the_time_that_the_portal_takes_is_part_of_the_interval() -> None:
    play = Play(Schedule(), latency=3.0)
    play.add(messages(1), interval=10.0)
    play.until(35.0)

    assert [round(at, 2) for at, _ in play.sent] == [GATHER, GATHER + 10, GATHER + 20, GATHER + 30]


@pytest.mark.parametrize(
    ("count", "requests"), [(1, 1), (50, 1), (51, 1), (2_500, 1), (2_501, 2), (10_000, 4), (10_001, 5)]
)
def test_a_round_takes_as_few_requests_as_the_portal_allows(play: Play, count: int, requests: int) -> None:
    play.add(messages(count))
    play.until(9.9)
    first = play.requests_between(0, 10)
    play.until(29.9)

    assert len(first) == requests
    assert len(play.requests_between(10, 30)) == 2 * requests
    assert all(request.commands <= 50 for request in first)
    assert all(len(part) <= 50 for request in first for part in request.lists)
    assert Counter(reference for request in first for reference in request) == Counter(messages(count))


def test_each_kind_of_name_is_read_in_the_way_that_the_portal_knows(play: Play) -> None:
    named = [PollReference(MESSAGE, n) for n in range(1, 61)] + [PollReference(POST, n) for n in range(1, 61)]
    alone = [PollReference(ATTACH, 7), PollReference(SIGNED, "7.abc")]
    play.add(named + alone)

    request = play.ask()

    assert sorted(len(part) for part in request.lists) == [10, 10, 50, 50]
    assert all(len({reference.kind for reference in part}) == 1 for part in request.lists)
    assert request.singles == alone
    assert request.commands == 6


def test_polls_that_can_be_read_only_alone_go_fifty_a_request(play: Play) -> None:
    play.add([PollReference(ATTACH, number) for number in range(1, 121)])
    play.until(9.0)

    assert [request.commands for _, request in play.sent] == [50, 50, 20]


@pytest.mark.parametrize("count", [100, 10_000])
def test_polls_that_came_one_after_the_other_end_up_in_the_same_requests(play: Play, count: int) -> None:
    everybody = messages(count)
    for number, reference in enumerate(everybody):
        play.until(10.0 * number / count)
        play.add([reference])
    play.until(100.0)

    assert len(play.requests_between(60.0, 100.0)) == 4 * math.ceil(count / 2_500)


def test_a_poll_is_looked_at_no_sooner_than_half_its_interval_and_no_later_than_all_of_it(play: Play) -> None:
    slow, quick = PollReference(MESSAGE, 1), PollReference(MESSAGE, 2)
    play.add([slow], interval=60.0)
    play.add([quick], interval=7.0)
    play.until(600.0)

    for reference, interval in ((slow, 60.0), (quick, 7.0)):
        gaps = [after - before for before, after in pairwise(play.looks[reference])]
        assert interval / 2 <= min(gaps)
        assert max(gaps) <= interval + 1e-6


def test_a_shorter_interval_counts_from_now_on_and_a_longer_one_too(play: Play) -> None:
    (poll,) = messages(1)
    play.add([poll], interval=1000.0)
    play.until(50.0)
    play.add([poll], interval=10.0)
    play.until(100.0)
    quick = len(play.looks[poll])
    play.add([poll], interval=1000.0)
    play.until(300.0)

    assert 5 <= quick - 1 <= 6
    assert len(play.looks[poll]) == quick


def test_no_interval_is_so_short_that_the_portal_has_no_rest(play: Play) -> None:
    play.add(messages(1), interval=0.0)
    play.until(1.0)

    assert len(play.sent) <= 1.0 / SHORTEST_INTERVAL + 1


def test_who_leaves_is_not_asked_for_any_more_and_leaves_nothing_behind(play: Play) -> None:
    everybody = messages(5_000)
    play.add(everybody)
    play.until(1.0)
    for reference in everybody[1:]:
        play.schedule.remove(reference)
    assert len(play.schedule) == 1
    assert len(play.schedule._due) + len(play.schedule._ripe) < 200
    before = len(play.sent)
    play.until(30.0)

    assert [list(request) for _, request in play.sent[before:]] == [everybody[:1]] * 2


def test_who_leaves_while_the_request_is_under_way_stays_forgotten(play: Play) -> None:
    first, second, third = messages(3)
    play.add([first, second, third])
    request = play.ask()
    for reference in (first, second, third):
        play.schedule.remove(reference)
    play.schedule.read([first], play.now)
    play.schedule.suspect([second])
    play.schedule.put_back([third], play.now)

    assert len(request) == 3
    assert play.schedule.next_at(play.now) is None


def test_who_comes_back_while_the_request_is_under_way_is_asked_for_once_a_round(play: Play) -> None:
    (poll,) = messages(1)
    play.add([poll])
    request = play.ask()
    play.schedule.remove(poll)
    play.add([poll])
    play.answer(request)
    play.until(play.now + 40.0)

    assert len(play.looks[poll]) <= 6


def test_a_hurried_poll_is_read_now_and_takes_those_along_that_are_ripe(play: Play) -> None:
    early, late, hurried = messages(3)
    play.add([early], interval=10.0)
    play.until(4.0)
    play.add([late], interval=10.0)
    play.add([hurried], interval=1000.0)
    play.until(6.0)
    play.schedule.hurry(hurried, play.now)

    assert play.schedule.next_at(play.now) == play.now
    assert set(play.ask()) == {early, hurried}


def test_suspects_are_read_alone_at_once_and_are_back_in_lists_when_they_are_cleared(play: Play) -> None:
    everybody = messages(100)
    play.add(everybody)
    request = play.ask()
    play.schedule.read(everybody[50:], play.now)
    play.schedule.suspect(everybody[:50])

    assert play.schedule.next_at(play.now) == play.now
    alone = play.ask()
    play.answer(alone)
    play.until(play.now + 9.99)
    again = play.ask()

    assert [len(part) for part in request.lists] == [50, 50]
    assert (alone.lists, alone.singles) == ([], everybody[:50])
    assert len(again.lists) == 2
    assert again.singles == []


def test_many_suspects_leave_half_of_each_request_to_the_others(play: Play) -> None:
    everybody = messages(3_000)
    play.add(everybody)
    play.ask()
    play.schedule.suspect(everybody[:2_500])

    request = play.ask()

    assert len(request.singles) >= 25
    assert set(everybody[2_500:]) <= set(request)


def test_what_the_portal_did_not_answer_is_asked_again_as_soon_as_it_may_be(play: Play) -> None:
    everybody = messages(60)
    play.add(everybody)
    request = play.ask()
    play.schedule.put_back(request, play.now)
    play.schedule.hold(play.now + 30.0)

    assert play.schedule.next_at(play.now) == play.now + 30.0
    assert set(play.ask()) == set(everybody)


def test_a_portal_that_is_asked_too_much_is_asked_for_less_and_slowly_for_more_again(play: Play) -> None:
    play.add(messages(2_500))
    sizes = []
    for _ in range(5):
        play.schedule.shrink()
        request = play.ask()
        sizes.append(request.commands)
        play.schedule.put_back(request, play.now)
    for _ in range(23):
        play.schedule.grow()

    assert sizes == [25, 12, 6, 5, 5]
    assert play.ask().commands == 50


def test_the_share_of_the_bucket_sets_the_pace_when_more_is_asked_for_than_fits(play: Play) -> None:
    play.schedule.pace(STANDARD, 0.25)
    play.add(messages(100_000))
    play.until(200.0)
    steady = play.requests_between(100.0, 200.0)

    # A quarter of two requests a second.
    assert 49 <= len(steady) <= 51
    assert all(len(request) == 2_500 for request in steady)
    looks = Counter(reference for request in steady for reference in request)
    assert max(looks.values()) - min(looks.values()) <= 1
    assert len(looks) == 100_000


def test_four_requests_a_round_fit_into_the_share_without_delay(play: Play) -> None:
    play.schedule.pace(STANDARD, 0.25)
    play.add(messages(10_000))
    play.until(300.0)

    for looks in play.looks.values():
        assert max(after - before for before, after in pairwise(looks)) <= 10.0 + 1e-6
    assert not play.schedule.is_stretched(play.now)


def test_a_stretched_round_is_known_while_it_lasts_and_a_minute_longer(play: Play) -> None:
    everybody = messages(100_000)
    play.schedule.pace(STANDARD, 0.25)
    play.add(everybody)
    play.until(100.0)
    assert play.schedule.is_stretched(play.now)

    for reference in everybody[2_500:]:
        play.schedule.remove(reference)
    play.until(130.0)
    assert play.schedule.is_stretched(play.now)
    play.until(190.0)
    assert not play.schedule.is_stretched(play.now)


def test_the_end_of_an_outage_is_no_stretched_round(play: Play) -> None:
    play.schedule.pace(STANDARD, 0.25)
    play.add(messages(10_000))
    play.until(1.0)
    play.schedule.hold(3_600.0)
    play.until(3_602.0)
    assert not play.schedule.is_stretched(play.now)
    play.until(3_700.0)

    assert len(play.requests_between(3_600.0, 3_610.0)) == 4


def test_a_portal_that_answers_too_slowly_stretches_the_round_too() -> None:
    play = Play(Schedule(), latency=8.0)
    play.add(messages(10_000))
    play.until(200.0)

    assert play.schedule.is_stretched(play.now)


REFERENCES = st.one_of(
    st.builds(PollReference, st.sampled_from([MESSAGE, POST, ATTACH]), st.integers(1, 60)),
    st.builds(PollReference, st.just(SIGNED), st.text("abc", min_size=1, max_size=2)),
)
WAITS = st.dictionaries(
    REFERENCES,
    st.tuples(st.floats(0, 40), st.sampled_from([0.0, 0.5, 3.0, 10.0, 45.0])),
    min_size=1,
    max_size=150,
)


def played(waits: dict[PollReference, tuple[float, float]], plan: Plan | None, share: float) -> Play:
    play = Play(Schedule())
    play.schedule.pace(plan, share)
    for reference, (begin, interval) in sorted(waits.items(), key=lambda item: item[1]):
        play.until(begin)
        play.add([reference], interval)
    play.until(120.0)
    return play


@settings(max_examples=60, deadline=None)
@given(WAITS, st.sampled_from([0.1, 0.25, 1.0]))
def test_never_more_requests_than_the_share(
    waits: dict[PollReference, tuple[float, float]], share: float
) -> None:
    assert STANDARD is not None
    times = [at for at, _ in played(waits, STANDARD, share).sent]

    for first in range(len(times)):
        for last in range(first, min(first + 60, len(times))):
            allowed = max(STANDARD.burst * share, 1) + STANDARD.drain * share * (times[last] - times[first])
            assert last - first + 1 <= allowed + 1e-6


@settings(max_examples=60, deadline=None)
@given(WAITS)
def test_no_poll_is_asked_for_twice_in_a_request_nor_sooner_than_its_interval_allows(
    waits: dict[PollReference, tuple[float, float]],
) -> None:
    play = played(waits, None, 1.0)

    for _, request in play.sent:
        asked = list(request)
        assert len(asked) == len(set(asked))
        assert 1 <= request.commands <= 50
    for reference, looks in play.looks.items():
        interval = max(waits[reference][1], SHORTEST_INTERVAL)
        assert all(after - before >= interval / 2 - 1e-9 for before, after in pairwise(looks))


@settings(max_examples=60, deadline=None)
@given(WAITS, st.sampled_from([None, STANDARD]))
def test_no_poll_is_starved(waits: dict[PollReference, tuple[float, float]], plan: Plan | None) -> None:
    play = played(waits, plan, 0.25)

    for reference, (begin, interval) in waits.items():
        times = [begin, *play.looks[reference], 120.0]
        # At most 150 polls are at most three requests, of which the share sends one in two seconds.
        slack = GATHER + 1e-6 + (0.0 if plan is None else 8.0)
        allowed = max(interval, SHORTEST_INTERVAL) + slack
        assert all(after - before <= allowed for before, after in pairwise(times))


def fail_every_other(play: Play, request: Request) -> None:
    asked = list(request)
    play.schedule.put_back(asked[::3], play.now)
    play.schedule.suspect(asked[1::3])
    play.schedule.read(asked[2::3], play.now)


def answer_all(play: Play, request: Request) -> None:
    play.answer(request)


@settings(max_examples=40, deadline=None)
@given(st.sets(REFERENCES, min_size=1, max_size=150), st.lists(st.booleans(), max_size=12))
def test_whatever_becomes_of_requests_every_poll_keeps_its_place(
    references: set[PollReference], failures: list[bool]
) -> None:
    play = Play(Schedule())
    play.add(references)
    for failure in failures:
        act: Callable[[Play, Request], None] = fail_every_other if failure else answer_all
        act(play, play.ask())
    seen = {reference: len(looks) for reference, looks in play.looks.items()}
    play.until(play.now + 10.2)

    assert all(len(play.looks[reference]) > seen.get(reference, 0) for reference in references)
