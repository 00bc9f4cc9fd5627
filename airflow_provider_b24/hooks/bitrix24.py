"""The hook: an Airflow connection becomes a client of a Bitrix24 portal."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError, Bitrix24ValidationError
from airflow_provider_b24.get_provider_info import get_provider_info
from airflow_provider_b24.utils.frames import hide_frames
from airflow_provider_b24.utils.lazy import cached_property

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_b24.chats.api import ChatsApi
    from airflow_provider_b24.events.api import EventsApi
    from airflow_provider_b24.hooks.connection import ConnectionSettings
    from airflow_provider_b24.open_lines.api import OpenLinesApi
    from airflow_provider_b24.polls.api import PollsApi
    from airflow_provider_b24.rest.auth import Credentials
    from airflow_provider_b24.rest.batch import BatchResult
    from airflow_provider_b24.rest.client import Bitrix24Client
    from airflow_provider_b24.rest.limiter import BucketLimiter, Limiter, NoLimit
    from airflow_provider_b24.rest.retry import RetryPolicy
    from airflow_provider_b24.rest.transport import RequestsTransport, Transport

log = logging.getLogger(__name__)


class Bitrix24Hook(BaseHook):
    """Reach a Bitrix24 portal through an Airflow connection.

    The connection is a webhook or an OAuth application; which of the two follows from its fields.
    All calls of all processes on one host share the portal's request limit; hosts share it through Redis.

    :param bitrix24_conn_id: the Airflow connection.
    """

    conn_name_attr = "bitrix24_conn_id"
    default_conn_name = "bitrix24_default"
    conn_type = "bitrix24"
    hook_name = "Bitrix24"

    def __init__(self, bitrix24_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.bitrix24_conn_id = bitrix24_conn_id

    def get_conn(self) -> Bitrix24Client:
        """Return the client for the connection's portal; made once."""
        return self.client

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, repeatable: bool | None = None
    ) -> Any:
        """Call any REST method and return the reply's ``result``.

        :param method: the method's name as Bitrix24 documents it, for example ``user.get``.
        :param params: its parameters; dates, decimals and nested values are encoded.
        :param repeatable: whether the call is idempotent, so that it may be sent again after an attempt
            whose outcome is unknown; None looks the method up in
            :mod:`airflow_provider_b24.rest.idempotency`.
        :raises Bitrix24Error: one of the types of :mod:`airflow_provider_b24.exceptions`.
        """
        return self.client.call(method, params, repeatable=repeatable)

    def call_batch(
        self, commands: Mapping[Any, Sequence[Any] | str], *, repeatable: bool | None = None
    ) -> BatchResult:
        """Call many methods, fifty a request; one that fails hides no other.

        :param commands: a key of your own to ``(method, params)``, or to a method without parameters.
        :param repeatable: the same as for :meth:`call`, for all of them.
        :returns: ``.results[key]`` and ``.errors[key]``.
        """
        return self.client.call_batch(commands, repeatable=repeatable)

    def iterate(
        self, method: str, params: Mapping[str, Any] | None = None, *, repeatable: bool | None = None
    ) -> Iterator[Any]:
        """Yield every item of a list method, page by page.

        :param method: the list method, for example ``crm.deal.list``.
        :param params: its parameters.
        :param repeatable: the same as for :meth:`call`, for each page.
        :raises Bitrix24Error: also when the method answers with no list, or with several.
        """
        return self.client.iterate(method, params, repeatable=repeatable)

    @cached_property
    def polls(self) -> PollsApi:
        """Polls: send, read, vote, stop."""
        from airflow_provider_b24.polls.api import PollsApi

        return PollsApi(self.client)

    @cached_property
    def open_lines(self) -> OpenLinesApi:
        """Open lines: connector messages and CRM chats."""
        from airflow_provider_b24.open_lines.api import OpenLinesApi

        return OpenLinesApi(self.client)

    @cached_property
    def chats(self) -> ChatsApi:
        """Chats: messages, members, search by title."""
        from airflow_provider_b24.chats.api import ChatsApi

        return ChatsApi(self.client)

    @cached_property
    def events(self) -> EventsApi:
        """Events: subscriptions, and the queue from which an application fetches them."""
        from airflow_provider_b24.events.api import EventsApi

        return EventsApi(self.client)

    @cached_property
    @hide_frames
    def account_id(self) -> int:
        """The user id of the account behind the connection (``profile``).

        :raises Bitrix24Error: when the portal does not say it.
        """
        from airflow_provider_b24.chats.people import read_own_id

        return read_own_id(self.client)

    @cached_property
    @hide_frames
    def settings(self) -> ConnectionSettings:
        """What the connection says.

        :raises Bitrix24ConfigurationError: naming the field to fill in or to correct.
        """
        from airflow_provider_b24.hooks.connection import read_connection

        connection = self._connection()
        return read_connection(
            conn_id=self.bitrix24_conn_id,
            host=connection.host,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_dejson,
            port=connection.port,
            schema=connection.schema,
        )

    @cached_property
    def client(self) -> Bitrix24Client:
        """The client for the connection's portal."""
        return self._client_for(self._credentials)

    @hide_frames
    def client_without_refresh(self) -> Bitrix24Client | None:
        """Return a client that never spends a refresh token; None when there is no access token yet."""
        from airflow_provider_b24.rest.auth import OAuthCredentials

        if not isinstance(self._credentials, OAuthCredentials):
            return self.client
        credentials = self._credentials.without_refresh()
        return self._client_for(credentials) if credentials is not None else None

    @hide_frames
    def keep_authorised(self, *, older_than: timedelta = timedelta(days=14)) -> dict[str, Any]:
        """Refresh an application's tokens when they are old, before the refresh token expires.

        Calls refresh the pair too, so an application that is in use needs none of this. Only one process
        refreshes, and a pair that is not older stays as it is.

        :param older_than: the age up to which the pair stays, at least one day: Bitrix24 may block
            applications that refresh their tokens too often.
        :returns: ``refreshed``, and ``issued_at``, the time of the newest pair as ISO 8601 text.
        :raises Bitrix24ValidationError: ``older_than`` is less than a day.
        :raises Bitrix24ConfigurationError: the connection is a webhook, which does not expire, or has no
            refresh token.
        :raises Bitrix24TokenRefreshError: the refresh token is spent, revoked or expired.
        """
        from airflow_provider_b24.rest.auth import OAuthCredentials

        if older_than < timedelta(days=1):
            raise Bitrix24ValidationError("older_than", "must be at least one day")
        credentials = self._credentials
        if not isinstance(credentials, OAuthCredentials):
            raise Bitrix24ConfigurationError(
                "The connection is a webhook, which does not expire",
                conn_id=self.bitrix24_conn_id,
                advice="Name the connection of an OAuth application.",
            )
        refreshed = credentials.refresh_when_older(older_than.total_seconds())
        issued = datetime.fromtimestamp(credentials.issued or 0.0, UTC).isoformat(timespec="seconds")
        log.info(
            "Connection %r: tokens issued at %s, refreshed: %s", self.bitrix24_conn_id, issued, refreshed
        )
        return {"refreshed": refreshed, "issued_at": issued}

    @cached_property
    @hide_frames
    def limiter(self) -> BucketLimiter | NoLimit:
        """The portal's bucket, which all processes of this host share, or all hosts through Redis."""
        from airflow_provider_b24.rest.limiter import BucketLimiter, NoLimit

        plan = self.settings.plan
        return NoLimit() if plan is None else BucketLimiter(portal=self.settings.portal, plan=plan)

    def client_with(
        self, *, transport: Transport, limiter: Limiter, policy: RetryPolicy | None = None
    ) -> Bitrix24Client:
        """Return a client for the connection's portal with another transport, limiter or retry policy."""
        return self._client_for(self._credentials, transport, limiter, policy)

    @cached_property
    def transport(self) -> RequestsTransport:
        """How requests travel to the portal."""
        from airflow_provider_b24.rest.transport import RequestsTransport

        if self.settings.transport.verify is False:
            log.warning("Connection %r does not verify the portal's certificate", self.bitrix24_conn_id)
        return RequestsTransport(self.settings.transport)

    @cached_property
    @hide_frames
    def _credentials(self) -> Credentials:
        from airflow_provider_b24.rest.auth import WebhookCredentials

        settings = self.settings
        if settings.is_application:
            return _application_credentials(settings, self.transport, self.bitrix24_conn_id)
        return WebhookCredentials(portal=settings.portal, user_id=settings.user, code=settings.secret)

    def _client_for(
        self,
        credentials: Credentials,
        transport: Transport | None = None,
        limiter: Limiter | None = None,
        policy: RetryPolicy | None = None,
    ) -> Bitrix24Client:
        from airflow_provider_b24.rest.client import Bitrix24Client

        return Bitrix24Client(
            credentials=credentials,
            transport=transport or self.transport,
            limiter=limiter or self.limiter,
            conn_id=self.bitrix24_conn_id,
            policy=policy,
            anonymous_value=self.settings.anonymous_value,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Say which portal and user the connection reaches, and which scopes it lacks.

        It never spends a refresh token.
        """
        from airflow_provider_b24.hooks.check import check_connection

        try:
            portal = self.settings.portal
        except Bitrix24ConfigurationError as error:
            return False, str(error)
        works, message = check_connection(self.client_without_refresh, portal=portal)
        if works:
            _print(message)
        return works, message

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and placeholders for the forms of Airflow before 3.2."""
        behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        # Only the Test button of 3.3 needs the port; the portal may have it.
        hidden = [*behaviour["hidden-fields"], "port"]
        return {
            "hidden_fields": hidden,
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields for the forms of Airflow before 3.2."""
        from airflow_provider_b24.hooks.form import form_widgets

        return form_widgets(get_provider_info()["connection-types"][0]["conn-fields"])

    def _connection(self) -> Any:
        with suppress(AirflowNotFoundException):
            return self.get_connection(self.bitrix24_conn_id)
        raise Bitrix24ConfigurationError(
            f"There is no Airflow connection {self.bitrix24_conn_id!r}",
            field="conn_id",
            conn_id=self.bitrix24_conn_id,
            advice="Add one of the type Bitrix24; the README shows its fields.",
        )


def _print(message: str) -> None:
    """Show a success also to who runs ``airflow connections test``, which prints failures only."""
    if log.isEnabledFor(logging.CRITICAL):
        log.info("%s", message)
    else:
        # That command switches logging off unless it is told to be verbose.
        sys.stdout.write(f"{message}\n")


def _application_credentials(settings: ConnectionSettings, transport: Transport, conn_id: str) -> Credentials:
    from airflow_provider_b24.rest.auth import OAuthCredentials
    from airflow_provider_b24.rest.oauth_server import Application, default_oauth_server
    from airflow_provider_b24.rest.token_store import TokenPair, VariableTokenStore

    server = settings.oauth_server or default_oauth_server(settings.portal)
    return OAuthCredentials(
        portal=settings.portal,
        application=Application(settings.user, settings.secret, server),
        start=TokenPair.from_connection(
            access_token=settings.access_token.reveal(), refresh_token=settings.refresh_token.reveal()
        ),
        store=VariableTokenStore(conn_id, client_secret=settings.secret),
        transport=transport,
        conn_id=conn_id,
        exchange_seconds=settings.transport.timeout[1],
    )
