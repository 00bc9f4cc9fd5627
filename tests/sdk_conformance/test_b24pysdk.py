"""The official Python SDK, as it is, sends batches to the emulated portal and proves who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("b24pysdk", reason="b24pysdk is not installed")

from b24pysdk import Client
from b24pysdk.credentials import BitrixToken, BitrixWebhook
from b24pysdk.errors import (
    BitrixAPIInsufficientScope,
    BitrixAPIInvalidCredentials,
)
from b24pysdk.errors.oauth import BitrixOAuthInvalidClient, BitrixOAuthInvalidGrant

from .pysdk import domain, token_of

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

# ---- batches ----


def test_a_batch_keeps_results_and_errors_apart(webhook: Any, poll: dict[str, Any]) -> None:
    attached = webhook.vote.attached_vote
    calls = {"good": attached.get(**poll["where"]), "bad": attached.get(attach_id=1)}
    result = webhook.call_batch(calls).result
    assert result.result["good"]["attach"]["entityId"] == poll["message"]
    assert result.result_error["bad"]["error"] == "ATTACH_NOT_FOUND"
    assert "bad" not in result.result


def test_sixty_calls_are_more_than_one_batch(webhook: Any, chat_id: int) -> None:
    calls = [webhook.im.dialog.get(dialog_id=f"chat{chat_id}") for _ in range(60)]
    results = webhook.call_batches(calls).result
    assert len(results.result) == 60


# ---- authorisation ----


def test_an_expired_token_is_refreshed_and_the_call_repeated(
    portal: Emulator, token: BitrixToken, application: Any
) -> None:
    old = (token.auth_token, token.refresh_token)
    portal.expire_access_token()
    assert application.user.current().result["ID"] == "1"
    assert token.auth_token == portal.application.access_token
    assert (token.auth_token, token.refresh_token) != old


def test_a_refresh_token_works_once(portal: Emulator, token: BitrixToken) -> None:
    twin = token_of(portal)
    renewed = token.refresh_oauth_token()
    assert renewed.portal_domain == "127.0.0.1"
    assert (renewed.user_id, renewed.oauth_token.expires_in) == (1, 3600)
    with pytest.raises(BitrixOAuthInvalidGrant):
        twin.refresh_oauth_token()


def test_a_code_gives_the_tokens_of_the_user_who_has_allowed_the_application(
    portal: Emulator, token: BitrixToken
) -> None:
    code = portal.portal.credentials.issue_code(2)
    given = token.bitrix_app.get_oauth_token(code)
    fresh = BitrixToken(
        domain=domain(portal),
        auth_token=given.oauth_token.access_token,
        refresh_token=given.oauth_token.refresh_token,
        bitrix_app=token.bitrix_app,
    )
    assert fresh.get_client().user.current().result["ID"] == "2"
    with pytest.raises(BitrixOAuthInvalidGrant):
        token.bitrix_app.get_oauth_token(code)


def test_a_wrong_secret_refreshes_nothing(portal: Emulator) -> None:
    with pytest.raises(BitrixOAuthInvalidClient):
        token_of(portal, secret="wrong").refresh_oauth_token()


def test_a_wrong_webhook_is_refused(portal: Emulator) -> None:
    client = Client(BitrixWebhook(domain=domain(portal), webhook_token="1/wrong"))
    with pytest.raises(BitrixAPIInvalidCredentials):
        _ = client.user.current().result


def test_a_webhook_without_the_scope_is_refused(webhook: Any, portal: Emulator) -> None:
    portal.portal.credentials.webhook.scopes.discard("vote")
    with pytest.raises(BitrixAPIInsufficientScope):
        _ = webhook.vote.attached_vote.get(attach_id=1).result
