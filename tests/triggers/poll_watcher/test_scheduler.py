"""Which polls are read together and when, simulated with a clock of the test's own."""

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
from airflow_provider_b24.triggers.poll_watcher.scheduler import COALESCE_DELAY, MIN_INTERVAL, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_b24.polls.request import PollRequest

pytestmark = pytest.mark.slow

MESSAGE, POST = ReferenceKind.MESSAGE, ReferenceKind.POST
ATTACH, SIGNED = ReferenceKind.ATTACH, ReferenceKind.SIGNED
STANDARD = PLANS["standard"]


def messages(count: int) -> list[PollReference]:
    return [PollReference(MESSAGE, number) for number in range(1, count + 1)]


class Simulation:
    """A poll watcher without a portal: it asks when the scheduler says so, and no poll is ever decided."""

    def __init__(self, scheduler: Scheduler, *, latency: float = 0.0) -> None:
        self.scheduler = scheduler
        self.now = 0.0
        self.latency = latency
        self.sent: list[tuple[float, PollRequest]] = []
        self.reads: defaultdict[PollReference, list[float]] = defaultdict(list)

    def add(self, references: Iterable[PollReference], interval: float = 10.0) -> None:
        for reference in references:
            self.scheduler.add(reference, interval, self.now)

    def ask(self) -> PollRequest:
        """Send the next request, whenever that is."""
        at = self.scheduler.next_at(self.now)
        assert at is not None
        self.now = max(self.now, at)
        request = self.scheduler.take(self.now)
        self.sent.append((self.now, request))
        for reference in request:
            self.reads[reference].append(self.now)
        return request

    def answer(self, request: PollRequest) -> None:
        self.now += self.latency
        self.scheduler.reschedule(request, self.now)

    def until(self, end: float) -> None:
        while (at := self.scheduler.next_at(self.now)) is not None and at <= end:
            self.answer(self.ask())
        self.now = max(self.now, end)

    def requests_between(self, begin: float, end: float) -> list[PollRequest]:
        return [request for at, request in self.sent if begin <= at < end]


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(Scheduler())


def test_without_polls_no_request_is_due(simulation: Simulation) -> None:
    assert simulation.scheduler.next_at(0.0) is None


def test_a_new_poll_is_read_at_once_and_then_every_interval(simulation: Simulation) -> None:
    simulation.add(messages(1), interval=10.0)
    simulation.until(35.0)

    assert [round(at, 2) for at, _ in simulation.sent] == [
        COALESCE_DELAY,
        COALESCE_DELAY + 10,
        COALESCE_DELAY + 20,
        COALESCE_DELAY + 30,
    ]


def test_the_latency_of_the_portal_is_part_of_the_interval() -> None:
    simulation = Simulation(Scheduler(), latency=3.0)
    simulation.add(messages(1), interval=10.0)
    simulation.until(35.0)

    assert [round(at, 2) for at, _ in simulation.sent] == [
        COALESCE_DELAY,
        COALESCE_DELAY + 10,
        COALESCE_DELAY + 20,
        COALESCE_DELAY + 30,
    ]


@pytest.mark.parametrize(
    ("count", "requests"), [(1, 1), (50, 1), (51, 1), (2_500, 1), (2_501, 2), (10_000, 4), (10_001, 5)]
)
def test_a_round_takes_as_few_requests_as_the_portal_allows(
    simulation: Simulation, count: int, requests: int
) -> None:
    simulation.add(messages(count))
    simulation.until(9.9)
    first = simulation.requests_between(0, 10)
    simulation.until(29.9)

    assert len(first) == requests
    assert len(simulation.requests_between(10, 30)) == 2 * requests
    assert all(request.command_count <= 50 for request in first)
    assert all(len(part) <= 50 for request in first for part in request.lists)
    assert Counter(reference for request in first for reference in request) == Counter(messages(count))


def test_messages_and_posts_are_read_in_lists_and_other_polls_as_singles(simulation: Simulation) -> None:
    named = [PollReference(MESSAGE, n) for n in range(1, 61)] + [PollReference(POST, n) for n in range(1, 61)]
    alone = [PollReference(ATTACH, 7), PollReference(SIGNED, "7.abc")]
    simulation.add(named + alone)

    request = simulation.ask()

    assert sorted(len(part) for part in request.lists) == [10, 10, 50, 50]
    assert all(len({reference.kind for reference in part}) == 1 for part in request.lists)
    assert request.singles == alone
    assert request.command_count == 6


def test_singles_go_fifty_a_request(simulation: Simulation) -> None:
    simulation.add([PollReference(ATTACH, number) for number in range(1, 121)])
    simulation.until(9.0)

    assert [request.command_count for _, request in simulation.sent] == [50, 50, 20]


@pytest.mark.parametrize("count", [100, 10_000])
def test_polls_that_are_added_one_after_the_other_end_up_in_the_same_requests(
    simulation: Simulation, count: int
) -> None:
    all_polls = messages(count)
    for number, reference in enumerate(all_polls):
        simulation.until(10.0 * number / count)
        simulation.add([reference])
    simulation.until(100.0)

    assert len(simulation.requests_between(60.0, 100.0)) == 4 * math.ceil(count / 2_500)


def test_a_poll_is_read_after_half_its_interval_at_the_soonest_and_after_all_of_it_at_the_latest(
    simulation: Simulation,
) -> None:
    slow, quick = PollReference(MESSAGE, 1), PollReference(MESSAGE, 2)
    simulation.add([slow], interval=60.0)
    simulation.add([quick], interval=7.0)
    simulation.until(600.0)

    for reference, interval in ((slow, 60.0), (quick, 7.0)):
        gaps = [after - before for before, after in pairwise(simulation.reads[reference])]
        assert interval / 2 <= min(gaps)
        assert max(gaps) <= interval + 1e-6


def test_a_changed_interval_counts_at_once(simulation: Simulation) -> None:
    (poll,) = messages(1)
    simulation.add([poll], interval=1000.0)
    simulation.until(50.0)
    simulation.add([poll], interval=10.0)
    simulation.until(100.0)
    quick = len(simulation.reads[poll])
    simulation.add([poll], interval=1000.0)
    simulation.until(300.0)

    assert 5 <= quick - 1 <= 6
    assert len(simulation.reads[poll]) == quick


def test_an_interval_of_zero_is_raised_to_the_minimum(simulation: Simulation) -> None:
    simulation.add(messages(1), interval=0.0)
    simulation.until(1.0)

    assert len(simulation.sent) <= 1.0 / MIN_INTERVAL + 1


def test_a_removed_poll_is_not_read_and_leaves_no_entries(simulation: Simulation) -> None:
    all_polls = messages(5_000)
    simulation.add(all_polls)
    simulation.until(1.0)
    for reference in all_polls[1:]:
        simulation.scheduler.remove(reference)
    assert len(simulation.scheduler) == 1
    assert len(simulation.scheduler._due) + len(simulation.scheduler._eligible) < 200
    before = len(simulation.sent)
    simulation.until(30.0)

    assert [list(request) for _, request in simulation.sent[before:]] == [all_polls[:1]] * 2


def test_a_poll_that_is_removed_while_its_request_is_in_flight_stays_removed(simulation: Simulation) -> None:
    first, second, third = messages(3)
    simulation.add([first, second, third])
    request = simulation.ask()
    for reference in (first, second, third):
        simulation.scheduler.remove(reference)
    simulation.scheduler.reschedule([first], simulation.now)
    simulation.scheduler.isolate([second])
    simulation.scheduler.requeue([third], simulation.now)

    assert len(request) == 3
    assert simulation.scheduler.next_at(simulation.now) is None


def test_a_poll_that_is_added_again_while_its_request_is_in_flight_is_read_once_an_interval(
    simulation: Simulation,
) -> None:
    (poll,) = messages(1)
    simulation.add([poll])
    request = simulation.ask()
    simulation.scheduler.remove(poll)
    simulation.add([poll])
    simulation.answer(request)
    simulation.until(simulation.now + 40.0)

    assert len(simulation.reads[poll]) <= 6


def test_an_expedited_poll_is_read_at_once_together_with_eligible_polls(simulation: Simulation) -> None:
    early, late, expedited = messages(3)
    simulation.add([early], interval=10.0)
    simulation.until(4.0)
    simulation.add([late], interval=10.0)
    simulation.add([expedited], interval=1000.0)
    simulation.until(6.0)
    simulation.scheduler.expedite(expedited, simulation.now)

    assert simulation.scheduler.next_at(simulation.now) == simulation.now
    assert set(simulation.ask()) == {early, expedited}


def test_isolated_polls_are_read_alone_once_and_then_in_lists_again(simulation: Simulation) -> None:
    all_polls = messages(100)
    simulation.add(all_polls)
    request = simulation.ask()
    simulation.scheduler.reschedule(all_polls[50:], simulation.now)
    simulation.scheduler.isolate(all_polls[:50])

    assert simulation.scheduler.next_at(simulation.now) == simulation.now
    alone = simulation.ask()
    simulation.answer(alone)
    simulation.until(simulation.now + 9.99)
    again = simulation.ask()

    assert [len(part) for part in request.lists] == [50, 50]
    assert (alone.lists, alone.singles) == ([], all_polls[:50])
    assert len(again.lists) == 2
    assert again.singles == []


def test_many_isolated_polls_leave_half_of_each_request_to_the_others(simulation: Simulation) -> None:
    all_polls = messages(3_000)
    simulation.add(all_polls)
    simulation.ask()
    simulation.scheduler.isolate(all_polls[:2_500])

    request = simulation.ask()

    assert len(request.singles) >= 25
    assert set(all_polls[2_500:]) <= set(request)


def test_requeued_polls_are_read_as_soon_as_the_pause_is_over(simulation: Simulation) -> None:
    all_polls = messages(60)
    simulation.add(all_polls)
    request = simulation.ask()
    simulation.scheduler.requeue(request, simulation.now)
    simulation.scheduler.pause_until(simulation.now + 30.0)

    assert simulation.scheduler.next_at(simulation.now) == simulation.now + 30.0
    assert set(simulation.ask()) == set(all_polls)


def test_the_request_size_is_halved_and_grows_slowly_again(simulation: Simulation) -> None:
    simulation.add(messages(2_500))
    sizes = []
    for _ in range(5):
        simulation.scheduler.reduce_request_size()
        request = simulation.ask()
        sizes.append(request.command_count)
        simulation.scheduler.requeue(request, simulation.now)
    for _ in range(23):
        simulation.scheduler.increase_request_size()

    assert sizes == [25, 12, 6, 5, 5]
    assert simulation.ask().command_count == 50


def test_more_polls_than_the_share_allows_are_read_at_the_rate_of_the_share(simulation: Simulation) -> None:
    simulation.scheduler.set_rate(STANDARD, 0.25)
    simulation.add(messages(100_000))
    simulation.until(200.0)
    steady = simulation.requests_between(100.0, 200.0)

    # A quarter of two requests a second.
    assert 49 <= len(steady) <= 51
    assert all(len(request) == 2_500 for request in steady)
    reads = Counter(reference for request in steady for reference in request)
    assert max(reads.values()) - min(reads.values()) <= 1
    assert len(reads) == 100_000


def test_four_requests_a_round_fit_into_the_share_without_delay(simulation: Simulation) -> None:
    simulation.scheduler.set_rate(STANDARD, 0.25)
    simulation.add(messages(10_000))
    simulation.until(300.0)

    for reads in simulation.reads.values():
        assert max(after - before for before, after in pairwise(reads)) <= 10.0 + 1e-6
    assert not simulation.scheduler.is_behind(simulation.now)


def test_is_behind_holds_while_reads_are_late_and_a_minute_longer(simulation: Simulation) -> None:
    all_polls = messages(100_000)
    simulation.scheduler.set_rate(STANDARD, 0.25)
    simulation.add(all_polls)
    simulation.until(100.0)
    assert simulation.scheduler.is_behind(simulation.now)

    for reference in all_polls[2_500:]:
        simulation.scheduler.remove(reference)
    simulation.until(130.0)
    assert simulation.scheduler.is_behind(simulation.now)
    simulation.until(190.0)
    assert not simulation.scheduler.is_behind(simulation.now)


def test_is_behind_does_not_hold_after_a_pause(simulation: Simulation) -> None:
    simulation.scheduler.set_rate(STANDARD, 0.25)
    simulation.add(messages(10_000))
    simulation.until(1.0)
    simulation.scheduler.pause_until(3_600.0)
    simulation.until(3_602.0)
    assert not simulation.scheduler.is_behind(simulation.now)
    simulation.until(3_700.0)

    assert len(simulation.requests_between(3_600.0, 3_610.0)) == 4


def test_is_behind_holds_when_the_portal_is_too_slow() -> None:
    simulation = Simulation(Scheduler(), latency=8.0)
    simulation.add(messages(10_000))
    simulation.until(200.0)

    assert simulation.scheduler.is_behind(simulation.now)


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


def simulated(waits: dict[PollReference, tuple[float, float]], plan: Plan | None, share: float) -> Simulation:
    simulation = Simulation(Scheduler())
    simulation.scheduler.set_rate(plan, share)
    for reference, (begin, interval) in sorted(waits.items(), key=lambda item: item[1]):
        simulation.until(begin)
        simulation.add([reference], interval)
    simulation.until(120.0)
    return simulation


@settings(max_examples=60, deadline=None)
@given(WAITS, st.sampled_from([0.1, 0.25, 1.0]))
def test_requests_never_exceed_the_share_of_the_limit(
    waits: dict[PollReference, tuple[float, float]], share: float
) -> None:
    assert STANDARD is not None
    times = [at for at, _ in simulated(waits, STANDARD, share).sent]

    for first in range(len(times)):
        for last in range(first, min(first + 60, len(times))):
            allowed = max(STANDARD.burst * share, 1) + STANDARD.drain * share * (times[last] - times[first])
            assert last - first + 1 <= allowed + 1e-6


@settings(max_examples=60, deadline=None)
@given(WAITS)
def test_a_poll_is_read_at_most_once_in_a_request_and_in_half_its_interval(
    waits: dict[PollReference, tuple[float, float]],
) -> None:
    simulation = simulated(waits, None, 1.0)

    for _, request in simulation.sent:
        asked = list(request)
        assert len(asked) == len(set(asked))
        assert 1 <= request.command_count <= 50
    for reference, reads in simulation.reads.items():
        interval = max(waits[reference][1], MIN_INTERVAL)
        assert all(after - before >= interval / 2 - 1e-9 for before, after in pairwise(reads))


@settings(max_examples=60, deadline=None)
@given(WAITS, st.sampled_from([None, STANDARD]))
def test_no_poll_is_starved(waits: dict[PollReference, tuple[float, float]], plan: Plan | None) -> None:
    simulation = simulated(waits, plan, 0.25)

    for reference, (begin, interval) in waits.items():
        times = [begin, *simulation.reads[reference], 120.0]
        # At most 150 polls are at most three requests, of which the share sends one in two seconds.
        slack = COALESCE_DELAY + 1e-6 + (0.0 if plan is None else 8.0)
        allowed = max(interval, MIN_INTERVAL) + slack
        assert all(after - before <= allowed for before, after in pairwise(times))


def fail_every_other(simulation: Simulation, request: PollRequest) -> None:
    asked = list(request)
    simulation.scheduler.requeue(asked[::3], simulation.now)
    simulation.scheduler.isolate(asked[1::3])
    simulation.scheduler.reschedule(asked[2::3], simulation.now)


def answer_all(simulation: Simulation, request: PollRequest) -> None:
    simulation.answer(request)


@settings(max_examples=40, deadline=None)
@given(st.sets(REFERENCES, min_size=1, max_size=150), st.lists(st.booleans(), max_size=12))
def test_every_poll_is_read_again_whatever_becomes_of_requests(
    references: set[PollReference], failures: list[bool]
) -> None:
    simulation = Simulation(Scheduler())
    simulation.add(references)
    for failure in failures:
        act: Callable[[Simulation, PollRequest], None] = fail_every_other if failure else answer_all
        act(simulation, simulation.ask())
    seen = {reference: len(reads) for reference, reads in simulation.reads.items()}
    simulation.until(simulation.now + 10.2)

    assert all(len(simulation.reads[reference]) > seen.get(reference, 0) for reference in references)
