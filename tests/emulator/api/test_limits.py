"""The portal's limits: requests of an address, operating time of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ..conftest import Caller, Clock

LIMIT = "OPERATION_TIME_LIMIT"


class TestRequests:
    @pytest.fixture(autouse=True)
    def standard(self, portal: Emulator) -> None:
        portal.limits.bucket.set_plan("standard")

    def burst(self, caller: Caller, count: int) -> list[int]:
        return [caller.post("profile").status_code for _ in range(count)]

    def test_fifty_pass_at_once_and_the_next_is_503(self, caller: Caller) -> None:
        assert self.burst(caller, 51) == [200] * 50 + [503]
        reply = caller.post("profile")
        assert reply.json() == {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}

    def test_two_more_requests_pass_after_a_second(self, caller: Caller, clock: Clock) -> None:
        self.burst(caller, 50)
        clock.pass_by(1)
        assert self.burst(caller, 3) == [200, 200, 503]

    def test_the_enterprise_plan_allows_250_and_off_allows_all(
        self, caller: Caller, portal: Emulator
    ) -> None:
        portal.limits.bucket.set_plan("enterprise")
        assert self.burst(caller, 251).count(503) == 1
        portal.limits.off()
        assert self.burst(caller, 60) == [200] * 60
        with pytest.raises(ValueError, match="standard, enterprise, none"):
            portal.limits.bucket.set_plan("gold")

    def test_each_address_has_a_bucket_of_its_own(self, caller: Caller, portal: Emulator) -> None:
        self.burst(caller, 51)
        with requests.Session() as other:
            other.mount("http://", _From("127.0.0.2"))
            assert other.get(portal.webhook_url + "profile").status_code == 200

    def test_unknown_methods_and_token_requests_count_as_well(self, caller: Caller, portal: Emulator) -> None:
        for _ in range(50):
            caller.post("no.such")
        assert self.burst(caller, 1) == [503]

    def test_the_control_api_does_not_count(self, caller: Caller, portal: Emulator) -> None:
        for _ in range(60):
            assert caller.http.get(f"{portal.url}/emulator/users").ok
        assert self.burst(caller, 1) == [200]


class _From(requests.adapters.HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **more)


class TestOperatingTime:
    def spend(self, portal: Emulator, caller: Caller, seconds: float, method: str = "server.time") -> dict:
        portal.faults.add("duration", method=method, seconds=seconds)
        return caller.post(method).json()["time"]

    def test_the_call_after_the_one_that_went_over_is_429(self, caller: Caller, portal: Emulator) -> None:
        assert self.spend(portal, caller, 300)["operating"] == 300
        assert self.spend(portal, caller, 300)["operating"] == 600
        assert caller.error("server.time") == (429, LIMIT)

    def test_other_methods_and_credentials_are_not_limited(self, caller: Caller, portal: Emulator) -> None:
        self.spend(portal, caller, 500)
        assert caller.error("server.time") == (429, LIMIT)
        assert caller.post("profile").ok
        assert caller.post("server.time", oauth=True).ok

    def test_operating_time_expires_at_operating_reset_at(
        self, caller: Caller, portal: Emulator, clock: Clock
    ) -> None:
        time = self.spend(portal, caller, 500)
        clock.now = time["operating_reset_at"]
        assert caller.post("server.time").json()["time"]["operating"] == 0

    def test_calls_up_to_a_tenth_of_a_second_are_not_counted(self, caller: Caller, portal: Emulator) -> None:
        assert self.spend(portal, caller, 0.1)["operating"] == 0
        assert self.spend(portal, caller, 0.2)["operating"] == 0.2

    def test_commands_of_a_batch_count_for_their_own_methods(self, caller: Caller, portal: Emulator) -> None:
        portal.faults.add("duration", method="server.time", seconds=500)
        caller.result("batch", {"cmd": {"a": "server.time"}})
        body = caller.result("batch", {"cmd": {"a": "server.time", "b": "profile"}})
        assert body["result_error"]["a"]["error"] == LIMIT
        assert sorted(body["result"]) == ["b"]

    def test_the_limit_can_be_set(self, caller: Caller, portal: Emulator) -> None:
        portal.limits.operating.limit = 1
        self.spend(portal, caller, 2)
        assert caller.error("server.time") == (429, LIMIT)
        assert caller.error("no.such")[0] == 404
