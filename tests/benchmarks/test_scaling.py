"""The model and the simulation of costs hold to what is measured."""

from __future__ import annotations

import re

import pytest

from airflow_provider_b24.rest.rate_limit import PLANS
from benchmarks.scaling import Scale, cost, queue_seconds, simulate, table
from tests.support.hosts_simulation import Simulation
from tests.support.snippets import ROOT

pytestmark = pytest.mark.slow

MEASURED = Scale(10_000)


def documented(page: str, row: str) -> float:
    """Return the figure of a row of a page's table."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| (?:less than )?([\d.]+)", text, re.MULTILINE)
    assert found, f"{page} has no row {row!r}"
    return float(found[1])


def test_ten_thousand_polls_cost_what_is_measured() -> None:
    found = cost(MEASURED)

    assert found.requests_a_round == documented("waiting.md", "requests in 10 seconds") == 4
    assert found.cores * 100 == pytest.approx(documented("waiting.md", "CPU of one core"))
    assert found.read_every == 10.0
    assert found.megabytes == pytest.approx(20.0)


@pytest.mark.parametrize("polls", [100, 2_500, 2_501, 10_000])
def test_the_simulation_sends_the_requests_of_the_model(polls: int) -> None:
    found = simulate(polls, seconds=120.0)

    assert found.requests_a_round == pytest.approx(cost(Scale(polls)).requests_a_round, rel=0.2)
    assert found.longest <= 10.1


def test_above_the_share_polls_are_read_less_often_as_the_simulation_says() -> None:
    polls = 25_000
    found = cost(Scale(polls))

    assert found.read_every == 20.0
    assert simulate(polls, seconds=120.0).longest == pytest.approx(found.read_every, rel=0.1)
    assert found.limit_used == pytest.approx(0.25)


@pytest.mark.parametrize("hosts", [1, 2, 4, 8])
def test_calls_of_several_hosts_take_the_time_of_one_bucket(hosts: int) -> None:
    plan = PLANS["standard"]
    assert plan is not None
    runs = [Simulation(plan, hosts=hosts, each=400 // hosts, seed=seed).run() for seed in range(3)]
    text = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
    (ratio,) = re.findall(rf"^\| {hosts} \| \d+ \| ([\d.]+) \|", text, re.MULTILINE)

    assert queue_seconds(400) == 175.0
    for run in runs:
        assert max(run.done) == pytest.approx(queue_seconds(400) * float(ratio), rel=0.1)


def test_a_hundred_thousand_polls_of_a_thousand_portals_take_less_than_a_core() -> None:
    found = cost(Scale(100_000, portals=1_000, triggerers=4))

    assert found.cores < 1.0
    assert found.limit_used < 0.25
    assert found.post_seconds == (100 - 50) / 2


def test_triggerers_together_never_take_more_than_the_limit() -> None:
    for triggerers in (1, 2, 4, 8, 16):
        assert cost(Scale(1_000_000, triggerers=triggerers)).limit_used <= 1.0 + 1e-9


def test_the_table_of_the_page_is_that_of_the_model() -> None:
    text = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")

    assert "\n".join(table()) in text
