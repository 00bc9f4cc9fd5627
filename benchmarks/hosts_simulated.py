"""``python -m benchmarks.hosts_simulated``: hosts that share nothing, in virtual time, by their number."""

from __future__ import annotations

from statistics import mean

from airflow_provider_b24.rest.rate_limit import PLANS
from tests.support.hosts_simulation import Simulation

CALLS = 400
SEEDS = 10
LONG = 3600.0


def main() -> None:
    """Print the table."""
    plan = PLANS["standard"]
    if plan is None:
        raise RuntimeError("the standard plan has a limit")
    print(f"{CALLS} calls, standard plan, mean of {SEEDS} runs; then an hour in which every host calls")
    columns = ["hosts", "503s", "wall / ideal", "longest call", "failed", "503s in 100 calls", "used"]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for hosts in (1, 2, 4, 8, 16, 40, 100):
        runs = [Simulation(plan, hosts=hosts, each=CALLS // hosts, seed=seed).run() for seed in range(SEEDS)]
        long = Simulation(plan, hosts=hosts, each=10**6, until=LONG).run()
        used = len(long.done) / (plan.burst + plan.drain * LONG)
        print(
            f"| {hosts} | {mean(run.refused for run in runs):.0f} "
            f"| {mean(run.ratio(plan) for run in runs):.2f} | {max(run.longest for run in runs):.0f} s "
            f"| {sum(run.failed for run in runs)} | {100 * long.refused / len(long.done):.1f} | {used:.0%} |"
        )


if __name__ == "__main__":
    main()
