"""What an Airflow connection says, read and checked; nothing is opened here.

=============  ==========================================  =======================
field          webhook                                     OAuth application
=============  ==========================================  =======================
host           the portal, or empty                        the portal
login          user id, or empty                           client_id
password       the code, or the whole webhook URL          client_secret
extra                                                      refresh_token,
                                                           access_token,
                                                           oauth_server
=============  ==========================================  =======================
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest.rate_limit import PLANS, Plan
from airflow_provider_b24.rest.redaction import Secret, protect
from airflow_provider_b24.rest.transport import TransportOptions

_WEBHOOK_PATH = re.compile(r"^/rest/(?P<user>[0-9]+)/(?P<code>[^/]+)/?(?P<method>[\w.]*)/?$")
_TOKENS = ("refresh_token", "access_token")
#: Bitrix24 gives local and market applications ids of these forms.
_CLIENT_ID = re.compile(r"^(local|app)\.[0-9a-f]+\.[0-9a-z]+$", re.IGNORECASE)
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 70.0
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: A webhook URL, or what Airflow leaves of one in another field.
_PASTED_WEBHOOK = re.compile(r"(?:^|/)rest/(?:(?:api/)?[0-9]+/(?P<code>[^/?#\s]+))?")
#: What a part of a webhook's path cannot hold.
_NOT_IN_PATH = re.compile(r"[\s/?#\\]")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(frozen=True)
class ConnectionSettings:
    """What a connection means.

    :param portal: scheme and host, for example ``https://acme.bitrix24.com``.
    :param user: user id of the webhook, or client_id of the application.
    :param secret: code of the webhook, or client_secret of the application.
    :param is_application: whether it is an OAuth application.
    :param plan: what the portal's plan allows; None is no limit.
    :param anonymous_value: the ANONYMITY that hides who voted, 2 or 1; None where nobody has said so.
    """

    portal: str
    user: str
    secret: Secret
    is_application: bool
    refresh_token: Secret
    access_token: Secret
    oauth_server: str
    plan: Plan | None
    transport: TransportOptions = field(default_factory=TransportOptions)
    anonymous_value: int | None = None


def read_connection(
    *,
    conn_id: str,
    host: str | None,
    login: str | None,
    password: str | None,
    extra: Mapping[str, Any],
    port: int | None = None,
    schema: str | None = None,
) -> ConnectionSettings:
    """Return what a connection's fields mean.

    :raises Bitrix24ConfigurationError: naming the field to fill in or to correct.
    """
    reader = _Reader(conn_id, _text(host), _text(login), _text(password), extra, port, _text(schema))
    return reader.settings()


@dataclass(frozen=True)
class _Reader:
    conn_id: str
    host: str
    login: str
    password: str = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    port: int | None
    schema: str = field(default="", repr=False)

    def settings(self) -> ConnectionSettings:
        if not isinstance(self.extra, Mapping):
            self._refuse("extra", "must be a JSON object")
        for name in ("host", "login", "schema"):
            self._refuse_shown_webhook(name, getattr(self, name))
        if "://" in self.password:
            portal, user, code = self._webhook_url()
        else:
            portal, user, code = self._three_fields()
        return ConnectionSettings(
            portal=portal,
            user=user,
            secret=Secret(code),
            is_application=self._is_application(),
            refresh_token=Secret(_text(self.extra.get("refresh_token"))),
            access_token=Secret(_text(self.extra.get("access_token"))),
            oauth_server=self._oauth_server(),
            plan=self._plan(),
            transport=TransportOptions(self._timeout(), self._verify(), self._proxies()),
            anonymous_value=self._anonymous_value(),
        )

    def _refuse_shown_webhook(self, name: str, value: str) -> None:
        """Refuse a webhook URL in a field that Airflow shows, and keep its code out of what follows."""
        found = _PASTED_WEBHOOK.search(value)
        if found is None:
            return
        if found["code"]:
            protect(Secret(found["code"]))
        form = '{"conn_type": "bitrix24", "password": "https://acme.bitrix24.com/rest/1/…/"}'
        self._refuse(
            name,
            f"holds a webhook URL; Airflow shows the {name}, so put the whole URL into the password "
            f"(AIRFLOW_CONN_{self.conn_id.upper()}='{form}'), and renew the webhook: its code was shown",
        )

    def _is_application(self) -> bool:
        if "://" in self.password:
            return False
        return any(self.extra.get(name) for name in _TOKENS) or bool(_CLIENT_ID.match(self.login))

    def _webhook_url(self) -> tuple[str, str, str]:
        parts = self._split("password", self.password)
        if parts.path.startswith("/rest/api/"):
            self._refuse("password", "is a URL of REST 3; paste it without api/: /rest/<user id>/<code>/")
        found = _WEBHOOK_PATH.match(parts.path)
        if found is None:
            self._refuse("password", "is a URL, but no webhook's: it must end with /rest/<user id>/<code>/")
        portal = _base(parts)
        if self.host and self._portal() != portal:
            self._refuse("host", "is another portal than the webhook URL in the password; leave it empty")
        if self.login and self.login != found["user"]:
            self._refuse("login", "is another user than the webhook URL in the password; leave it empty")
        return portal, found["user"], found["code"]

    def _three_fields(self) -> tuple[str, str, str]:
        is_application = self._is_application()
        names = ("client_id", "client_secret") if is_application else ("user id", "webhook code")
        if not is_application and _NOT_IN_PATH.search(self.password):
            self._refuse("password", "must be the webhook's code alone, or the whole URL with https://")
        if not self.host:
            self._refuse("host", "is empty; fill in the portal, for example acme.bitrix24.com")
        if not self.login:
            self._refuse("login", f"is empty; fill in the {names[0]}")
        if not self.password:
            self._refuse("password", f"is empty; fill in the {names[1]}, or the whole webhook URL")
        if _NOT_IN_PATH.search(self.login):
            self._refuse("login", f"must be the {names[0]} alone")
        return self._portal(), self.login, self.password

    def _portal(self) -> str:
        scheme, _, host = self.host.rpartition("://")
        # Airflow takes the brackets off when it reads a connection from a URI.
        host = f"[{host}]" if _is_bare_ipv6(host) else host
        parts = self._split("host", f"{scheme or 'https'}://{host}")
        if parts.path.strip("/") or parts.query or parts.fragment:
            self._refuse("host", "must be the portal alone, without a path")
        return _base(parts, self.port)

    def _oauth_server(self) -> str:
        given = _text(self.extra.get("oauth_server"))
        if not given:
            return ""
        return _base(self._split("extra.oauth_server", given if "://" in given else f"https://{given}"))

    def _split(self, name: str, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or "@" in parts.netloc or re.search(r"[\s\\]", url):
            self._refuse(name, "is no usable http(s) address")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            self._refuse(name, "must be https: plain http would show the secret to the network")
        return parts

    def _plan(self) -> Plan | None:
        name = _text(self.extra.get("plan")) or "standard"
        if name not in PLANS:
            self._refuse("extra.plan", f"must be one of {', '.join(PLANS)}, not {name!r}")
        return PLANS[name]

    def _anonymous_value(self) -> int | None:
        given = _text(self.extra.get("anonymous_value"))
        if given not in {"", "1", "2"}:
            self._refuse("extra.anonymous_value", f"must be 2 or 1, not {given!r}")
        return int(given) if given else None

    def _timeout(self) -> tuple[float, float]:
        given = self.extra.get("timeout")
        if given in (None, ""):
            return _CONNECT_SECONDS, _READ_SECONDS
        try:
            seconds = float(str(given))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self._refuse("extra.timeout", "must be a number of seconds above 0")
        return min(seconds, _CONNECT_SECONDS), seconds

    def _verify(self) -> bool | str:
        given = self.extra.get("verify")
        if given in (None, ""):
            return True
        verify = given if isinstance(given, bool) else _BOOLEANS.get(_text(given).lower(), _text(given))
        if isinstance(verify, str) and not Path(verify).exists():
            self._refuse("extra.verify", "must be true, false, or the path of a CA bundle that is there")
        return verify

    def _proxies(self) -> dict[str, str] | None:
        given = self.extra.get("proxies")
        if not given:
            return None
        try:
            proxies = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            proxies = None
        if not isinstance(proxies, Mapping):
            self._refuse("extra.proxies", 'must be an object such as {"https": "http://proxy:3128"}')
        return {str(scheme): str(url) for scheme, url in proxies.items()}

    def _refuse(self, name: str, rule: str) -> NoReturn:
        raise Bitrix24ConfigurationError(
            f"The connection's {name} {rule}",
            field=name,
            conn_id=self.conn_id,
            advice="Edit it under Admin > Connections, or where your secrets backend keeps it.",
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself, where plain http leaks nothing."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_bare_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _base(parts: SplitResult, port: int | None = None) -> str:
    """Return scheme, host and port in the one form in which a portal's bucket is shared."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port or port
    shown = f":{port}" if port and port != _DEFAULT_PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{host}{shown}"


def _text(value: Any) -> str:
    return str(value).strip() if value is not None else ""
