"""An application's tokens, refreshed only when they are old."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_b24.exceptions import (
    Bitrix24ConfigurationError,
    Bitrix24TokenRefreshError,
    Bitrix24ValidationError,
)
from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_b24.rest import token_refresh
from airflow_provider_b24.rest.redaction import Secret
from airflow_provider_b24.rest.token_store import TokenPair, VariableTokenStore, fingerprint, variable_name

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

pytestmark = pytest.mark.slow

DAY = 86_400.0


@pytest.fixture(autouse=True)
def no_pair(airflow_database: None) -> None:
    from airflow.models import Variable

    Variable.delete(variable_name("bitrix24_app"))


def store_pair(portal: Emulator, *, days_old: float | None) -> None:
    """Store the application's pair as one that is so old; None: nobody knows how old."""
    application = portal.application
    issued = None if days_old is None else time.time() - days_old * DAY
    pair = TokenPair(
        Secret(application.access_token),
        Secret(application.refresh_token),
        fingerprint(application.refresh_token),
        issued,
    )
    VariableTokenStore("bitrix24_app", client_secret=Secret(application.client_secret)).save(pair)


def refreshes(portal: Emulator) -> int:
    return portal.requests.count("oauth.token")


@pytest.mark.parametrize(("days_old", "refreshed"), [(0.0, False), (13.9, False), (14.1, True), (None, True)])
def test_only_an_old_pair_is_refreshed(
    portal: Emulator, application: str, days_old: float | None, refreshed: bool
) -> None:
    store_pair(portal, days_old=days_old)

    done = Bitrix24Hook(application).keep_authorised()

    assert done["refreshed"] is refreshed
    assert refreshes(portal) == int(refreshed)
    age = datetime.now(UTC) - datetime.fromisoformat(done["issued_at"])
    assert (age < timedelta(days=1)) is (refreshed or days_old == 0.0)


def test_the_age_is_known_after_the_first_refresh_of_the_connections_own_token(
    portal: Emulator, application: str
) -> None:
    assert Bitrix24Hook(application).keep_authorised()["refreshed"]
    assert not Bitrix24Hook(application).keep_authorised()["refreshed"]
    assert refreshes(portal) == 1


def test_a_refresh_by_a_call_makes_the_pair_young(portal: Emulator, application: str) -> None:
    store_pair(portal, days_old=100)
    portal.expire_access_token()
    Bitrix24Hook(application).call("profile")

    assert not Bitrix24Hook(application).keep_authorised()["refreshed"]
    assert refreshes(portal) == 1


def test_many_at_once_spend_one_refresh_token(portal: Emulator, application: str) -> None:
    store_pair(portal, days_old=20)
    hooks = [Bitrix24Hook(application) for _ in range(6)]
    done: list[bool] = []

    def keep(hook: Bitrix24Hook) -> None:
        done.append(hook.keep_authorised()["refreshed"])

    threads = [threading.Thread(target=keep, args=(hook,)) for hook in hooks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(done) == [False] * 5 + [True]
    assert refreshes(portal) == 1


def test_the_refreshed_pair_is_the_one_that_the_next_call_uses(portal: Emulator, application: str) -> None:
    store_pair(portal, days_old=20)
    hook = Bitrix24Hook(application)
    hook.keep_authorised()
    portal.requests.clear()

    for one in (hook, Bitrix24Hook(application)):
        assert one.call("profile")["ID"] == "1"
    assert refreshes(portal) == 0


def test_an_expired_refresh_token_says_to_log_in(
    portal: Emulator, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody else is about to save a new pair, so there is nothing to wait for.
    monkeypatch.setattr(token_refresh, "SAVE_SECONDS", -1000.0)
    store_pair(portal, days_old=181)
    portal.application.refresh_lifetime = 0.0

    with pytest.raises(Bitrix24TokenRefreshError, match="airflow bitrix24 login"):
        Bitrix24Hook(application).keep_authorised()


def test_a_webhook_has_nothing_to_keep(portal: Emulator) -> None:
    with pytest.raises(Bitrix24ConfigurationError, match="is a webhook, which does not expire"):
        Bitrix24Hook().keep_authorised()
    assert portal.requests.count() == 0


def test_less_than_a_day_is_refused(portal: Emulator, application: str) -> None:
    with pytest.raises(Bitrix24ValidationError, match="older_than: must be at least one day"):
        Bitrix24Hook(application).keep_authorised(older_than=timedelta(hours=23))
    assert portal.requests.count() == 0
