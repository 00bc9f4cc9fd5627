"""What hosts behind one address get of the bucket when they share nothing: a simulation."""

from __future__ import annotations

from statistics import mean

import pytest

from airflow_provider_b24.rest.rate_limit import PLANS, Plan
from tests.support.hosts_simulation import Simulation

SEEDS = range(3)


@pytest.fixture(params=["standard", "enterprise"])
def plan(request: pytest.FixtureRequest) -> Plan:
    plan = PLANS[request.param]
    assert plan is not None
    return plan


def test_one_host_meets_no_refusal_and_wastes_nothing(plan: Plan) -> None:
    result = Simulation(plan, hosts=1, each=8 * plan.burst).run()

    assert result.refused == 0
    assert result.ratio(plan) <= 1.02


@pytest.mark.parametrize("hosts", [2, 4, 8])
def test_some_hosts_use_the_bucket_with_few_refusals(hosts: int) -> None:
    plan = PLANS["standard"]
    assert plan is not None
    runs = [Simulation(plan, hosts=hosts, each=400 // hosts, seed=seed).run() for seed in range(6)]

    assert all((len(run.done), run.failed) == (400, 0) for run in runs)
    assert max(run.refused for run in runs) <= 20
    assert mean(run.ratio(plan) for run in runs) <= 1.1
    assert max(run.ratio(plan) for run in runs) <= 1.25


@pytest.mark.parametrize("seed", SEEDS)
def test_at_a_hundred_hosts_no_call_fails(seed: int) -> None:
    plan = PLANS["standard"]
    assert plan is not None
    result = Simulation(plan, hosts=100, each=4, seed=seed).run()

    assert (len(result.done), result.failed) == (400, 0)
    assert result.refused <= 300


@pytest.mark.parametrize("hosts", [2, 8, 40])
def test_over_a_long_time_the_bucket_is_used_and_refusals_stay_few(plan: Plan, hosts: int) -> None:
    seconds = 1200.0
    result = Simulation(plan, hosts=hosts, each=10**6, until=seconds).run()

    assert len(result.done) >= 0.9 * (plan.burst + plan.drain * seconds)
    assert result.failed == 0
    # Each host has to learn that the bucket is full, from time to time.
    assert result.refused <= (0.06 if hosts <= 8 else 0.25) * len(result.done)
