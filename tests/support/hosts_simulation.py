"""Hosts behind one address that share nothing, in virtual time, with the provider's own functions."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from itertools import count

from airflow_provider_b24.exceptions import Outcome
from airflow_provider_b24.rest.rate_limit import Level, Plan, penalize, reserve
from airflow_provider_b24.rest.response import Failure
from airflow_provider_b24.rest.retry import RetryPolicy, Wait, next_step

_START = 1_800_000_000.0
_REFUSAL = Failure(Outcome.NOT_EXECUTED, code="QUERY_LIMIT_EXCEEDED", status=503)


@dataclass
class Result:
    """What the hosts and the portal saw.

    :param refused: how many requests got a 503.
    :param failed: how many calls were given up.
    :param done: when each call ended, in seconds from the start.
    :param longest: seconds of the longest call.
    """

    refused: int = 0
    failed: int = 0
    done: list[float] = field(default_factory=list)
    longest: float = 0.0

    def ratio(self, plan: Plan) -> float:
        """Return by how much longer it took than the portal's bucket makes so many requests take."""
        return max(self.done) / ((len(self.done) - plan.burst) / plan.drain)


@dataclass
class _Call:
    host: int
    begun: float
    attempt: int = 0


class Simulation:
    """Some hosts, each of which makes its calls one after another.

    :param plan: the portal's plan.
    :param hosts: how many hosts.
    :param each: how many calls each host makes.
    :param seed: of the random numbers.
    :param spread: seconds within which the hosts start.
    :param latency: seconds to the portal, and the same back.
    :param until: seconds after which it ends.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        hosts: int,
        each: int,
        seed: int = 0,
        spread: float = 0.015,
        latency: float = 0.01,
        until: float = float("inf"),
    ) -> None:
        self._plan = plan
        self._until = until
        self._latency = latency
        self._random = random.Random(seed)
        self._levels = [Level()] * hosts
        self._left = [each] * hosts
        self._drops, self._at = 0.0, 0.0
        self._numbers = count()
        self._events: list[tuple[float, int, str, _Call]] = []
        self._result = Result()
        for host in range(hosts):
            self._push(self._random.uniform(0.0, spread), "begin", _Call(host, 0.0))

    def run(self) -> Result:
        """Run until all calls have ended, or the time has."""
        steps = {"begin": self._begin, "ask": self._ask, "arrive": self._arrive}
        while self._events:
            now, _, step, call = heapq.heappop(self._events)
            if now > self._until:
                break
            steps[step](now, call)
        return self._result

    def _begin(self, now: float, call: _Call) -> None:
        if self._left[call.host]:
            self._left[call.host] -= 1
            self._ask(now, _Call(call.host, now))

    def _ask(self, now: float, call: _Call) -> None:
        self._levels[call.host], wait = reserve(self._levels[call.host], self._plan, _START + now)
        self._push(now + wait + self._travel(), "arrive", call)

    def _arrive(self, now: float, call: _Call) -> None:
        call.attempt += 1
        admitted, answered = self._admits(now), now + self._travel()
        if admitted:
            self._result.done.append(answered)
            self._result.longest = max(self._result.longest, answered - call.begun)
            self._push(answered, "begin", call)
            return
        self._result.refused += 1
        jitter = self._random.random()
        level = self._levels[call.host]
        self._levels[call.host] = penalize(level, self._plan, _START + answered, jitter=jitter)
        step = next_step(
            _REFUSAL,
            attempt=call.attempt,
            idempotent=True,
            policy=RetryPolicy(),
            random_=self._random.random,
        )
        if isinstance(step, Wait):
            self._push(answered + step.seconds, "ask", call)
        else:
            self._result.failed += 1
            self._push(answered, "begin", call)

    def _admits(self, now: float) -> bool:
        self._drops = max(0.0, self._drops - (now - self._at) * self._plan.drain)
        self._at = now
        if self._drops + 1 > self._plan.burst:
            return False
        self._drops += 1
        return True

    def _travel(self) -> float:
        return self._latency * self._random.uniform(0.5, 1.5)

    def _push(self, at: float, step: str, call: _Call) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), step, call))
