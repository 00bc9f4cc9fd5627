"""Whether Redis is here: where it is not, this one test is skipped, and those that need it are left out."""

from __future__ import annotations

import pytest

from tests.support.redis_server import NOT_INSTALLED, RedisServer, is_installed


def test_redis_is_installed_or_the_tests_that_need_it_are_left_out(running_redis: RedisServer | None) -> None:
    if running_redis is None:
        pytest.skip(NOT_INSTALLED)
    with running_redis.client() as client:
        assert client.ping()


@pytest.fixture
def running_redis(request: pytest.FixtureRequest) -> RedisServer | None:
    """The session's Redis, asked for late, so that this test stays where there is none."""
    return request.getfixturevalue("redis_server") if is_installed() else None
