"""The portal's own bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_b24.rest.rate_limit import Plan


class Portal:
    """The portal's own bucket, as its documentation has it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.level = 0.0
        self.at = 0.0

    def admits(self, at: float) -> bool:
        self.level = max(0.0, self.level - (at - self.at) * self.plan.drain)
        self.at = at
        self.level += 1
        # Unix time as a float is exact to some 0.0000002 s only.
        return self.level <= self.plan.burst + 0.001
