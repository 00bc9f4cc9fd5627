"""The provider and its peers behind one small interface, each used as its documentation says."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.table import OURS
from tests.support.certificate import OFFICIAL_OAUTH_HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.portal import Portal

ANSWERS = ["Yes", "No"]
_CONN_ID = "bitrix24_bench"


@dataclass
class Answers:
    """The results of a batch, by the position of its items."""

    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


class Client(Protocol):
    """A client of a portal; it stays in the process that opened it."""

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Call one method and return its result."""

    def batch(self, method: str, items: list[dict[str, Any]]) -> Answers:
        """Call one method for each item."""

    def send_poll(self, chat_id: int, question: str, *, template_id: str | None, again: bool) -> int:
        """Send a poll and return its message id.

        :param again: whether an earlier try may have sent it.
        """


class Contender(Protocol):
    """A library."""

    name: str

    def load(self) -> None:
        """Import heavy modules before anything is measured."""

    def open(self, portal: Portal) -> Client:
        """Return a client that calls by webhook."""


def vote_data(question: str) -> dict[str, Any]:
    """Return a poll as Bitrix24's page shows it."""
    answers = [{"MESSAGE": answer} for answer in ANSWERS]
    return {
        "ANONYMITY": 1,
        "OPTIONS": 0,
        "QUESTIONS": [{"QUESTION": question, "FIELD_TYPE": 0, "ANSWERS": answers}],
    }


class Ours:
    """This provider: a hook for an Airflow connection."""

    name = OURS

    def load(self) -> None:
        """Import the hook and what it imports at the first call."""
        for module in ("hooks.bitrix24", "rest.transport", "rest.client", "rest.batch", "polls.api"):
            importlib.import_module(f"airflow_provider_b24.{module}")
        importlib.import_module("requests")

    def open(self, portal: Portal) -> OurClient:
        """Return a client that calls by webhook."""
        return OurClient(our_hook(portal, portal.webhook))


def our_hook(portal: Portal, fields: dict[str, Any]) -> Any:
    """Return a hook for a connection with these fields; the processes of one portal share one rate limit."""
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

    extra = {**fields["extra"], "plan": "self_hosted" if portal.plan == "none" else portal.plan}
    if portal.certificate is not None:
        extra["verify"] = str(portal.certificate.certfile)
    os.environ["BITRIX24_STATE_DIR"] = str(portal.state)
    os.environ[f"AIRFLOW_CONN_{_CONN_ID.upper()}"] = json.dumps({**fields, "extra": extra})
    hook = Bitrix24Hook(_CONN_ID)
    # Airflow reads the connection; no call shall pay for it.
    hook.get_conn()
    return hook


class OurClient:
    """The hook."""

    def __init__(self, hook: Any) -> None:
        self.hook = hook

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Call one method and return its result."""
        return self.hook.call(method, params)

    def batch(self, method: str, items: list[dict[str, Any]]) -> Answers:
        """Call one method for each item."""
        replies = self.hook.call_batch({number: (method, item) for number, item in enumerate(items)})
        errors = {number: type(error).__name__ for number, error in replies.errors.items()}
        return Answers(replies.results, errors)

    def send_poll(self, chat_id: int, question: str, *, template_id: str | None, again: bool) -> int:
        """Send a poll and return its message id."""
        sent = self.hook.polls.send(
            chat_id=chat_id, question=question, answers=ANSWERS, template_id=template_id, may_have_sent=again
        )
        return int(sent["message_id"])


class B24PySdk:
    """The official SDK with its default retries."""

    name = "b24pysdk"

    def load(self) -> None:
        """Import it."""
        importlib.import_module("b24pysdk")

    def open(self, portal: Portal) -> SdkClient:
        """Return a client that calls by webhook."""
        from b24pysdk import BitrixWebhook

        token = BitrixWebhook(
            domain=portal.domain, webhook_token=f"{portal.webhook['login']}/{portal.webhook['password']}"
        )
        return SdkClient(token)

    def open_application(self, portal: Portal) -> SdkClient:
        """Return a client that calls as the application."""
        from b24pysdk import BitrixApp, BitrixToken

        redirect_host(OFFICIAL_OAUTH_HOST, portal.port)
        tokens = portal.oauth["extra"]
        app = BitrixApp(client_id=portal.oauth["login"], client_secret=portal.oauth["password"])
        token = BitrixToken(
            domain=portal.domain,
            auth_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            bitrix_app=app,
        )
        return SdkClient(token)


class SdkClient:
    """A token of the official SDK; its low-level helpers retry too."""

    def __init__(self, token: Any) -> None:
        self.token = token
        self._client = token.get_client()

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Call one method and return its result."""
        return self.token.call_method(method, params)["result"]

    def batch(self, method: str, items: list[dict[str, Any]]) -> Answers:
        """Call one method for each item."""
        commands = {str(number): (method, item) for number, item in enumerate(items)}
        reply = self.token.call_batches(commands)["result"]
        errors = {int(key): str(error.get("error")) for key, error in dict(reply["result_error"]).items()}
        return Answers({int(key): value for key, value in dict(reply["result"]).items()}, errors)

    def send_poll(self, chat_id: int, question: str, *, template_id: str | None, again: bool) -> int:  # noqa: ARG002
        """Send a poll and return its message id."""
        known = {} if template_id is None else {"template_id": template_id}
        sent = self._client.vote.integration.im.send(
            chat_id=chat_id, im_message_vote_data=vote_data(question), **known
        )
        return int(sent.result["messageId"])


class FastBitrix24:
    """The community's client, in its synchronous form."""

    name = "fast_bitrix24"

    def load(self) -> None:
        """Import it."""
        importlib.import_module("fast_bitrix24")

    def open(self, portal: Portal) -> FastClient:
        """Return a client that calls by webhook."""
        from fast_bitrix24 import Bitrix

        return FastClient(Bitrix(portal.webhook_url, verbose=False, **fast_limits(portal)))

    def open_application(self, portal: Portal, token_func: Callable[[], Any]) -> Any:
        """Return an asynchronous client that calls as the application."""
        from fast_bitrix24 import BitrixAsync

        return BitrixAsync(f"{portal.url}/rest/", token_func=token_func, verbose=False, **fast_limits(portal))


def fast_limits(portal: Portal) -> dict[str, float]:
    """Return the settings that its documentation names for a portal without a limit."""
    return {"request_pool_size": 10_000, "requests_per_second": 10_000.0} if portal.plan == "none" else {}


class FastClient:
    """The community's client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        asyncio.set_event_loop(asyncio.new_event_loop())

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Call one method and return its result; ``raw`` sends it outside of a batch."""
        return self._client.call(method, params, raw=True)["result"]

    def batch(self, method: str, items: list[dict[str, Any]]) -> Answers:
        """Call one method for each item."""
        return Answers(dict(enumerate(self._client.call(method, items))))

    def send_poll(self, chat_id: int, question: str, *, template_id: str | None, again: bool) -> int:  # noqa: ARG002
        """Send a poll and return its message id."""
        known = {} if template_id is None else {"templateId": template_id}
        params = {"chatId": chat_id, "IM_MESSAGE_VOTE_DATA": vote_data(question), **known}
        return int(self.call("vote.Integration.Im.send", params)["messageId"])


def redirect_host(host: str, port: int) -> None:
    """Resolve a host name to a port of this machine, in this process."""
    real = socket.getaddrinfo

    def getaddrinfo(name: Any, service: Any, *args: Any, **kwargs: Any) -> Any:
        if name == host:
            return real("127.0.0.1", port, *args, **kwargs)
        return real(name, service, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]


CONTENDERS: tuple[Contender, ...] = (Ours(), B24PySdk(), FastBitrix24())
PEERS = [contender.name for contender in CONTENDERS if contender.name != OURS]
