"""Which Redis the hosts of this Airflow share, as Airflow's configuration says."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from urllib.parse import unquote, urlsplit

from airflow_provider_b24.exceptions import Bitrix24ConfigurationError
from airflow_provider_b24.rest.redaction import Secret, protect

OPTION = "[bitrix24] state_url"
_SCHEMES = ("redis", "rediss", "unix")
_EXAMPLES = "Write it as redis://:password@host:6379/0, rediss://… for TLS, or unix:///path/of/redis.sock."


@cache
def read_state_url() -> Secret | None:
    """Return the URL of Redis, or None when the hosts share nothing; read once for each process.

    It may also come from ``state_url_cmd`` or ``state_url_secret``, as Airflow's other secrets may.

    :raises Bitrix24ConfigurationError: when it can't be read, or names no Redis.
    """
    url = _configured()
    if not url:
        return None
    protect(Secret(url))
    if not _names_redis(url):
        raise refused("names no Redis")
    return Secret(url)


def refused(why: str, advice: str = _EXAMPLES) -> Bitrix24ConfigurationError:
    """Return the error for a URL that can't be used; it never shows the URL.

    :param why: what is wrong with it.
    :param advice: what to do.
    """
    return Bitrix24ConfigurationError(f"{OPTION} {why}", field="state_url", advice=advice)


def _configured() -> str:
    with suppress(Exception):
        return (_from_airflow() or "").strip()
    # Raised here, because the error of a command or of a secrets backend may repeat what it has read.
    raise refused(
        "can't be read",
        "Check the command in state_url_cmd, or the secrets backend and the name in state_url_secret.",
    )


def _from_airflow() -> str | None:
    from airflow.providers.common.compat.sdk import conf

    names = ("state_url_cmd", "state_url_secret")
    declared = ("bitrix24", "state_url") in conf.sensitive_config_values
    if not declared and any(conf.has_option("bitrix24", name) for name in names):
        # Airflow 2 learns only when it is told which options of providers are secrets.
        from airflow.providers_manager import ProvidersManager

        ProvidersManager().initialize_providers_configuration()
    value: str | None = conf.get("bitrix24", "state_url", fallback=None)
    return value


def _names_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _protect_password(parts.password)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.path if parts.scheme == "unix" else host)


def _protect_password(password: str | None) -> None:
    if password:
        protect(Secret(password), Secret(unquote(password)))
