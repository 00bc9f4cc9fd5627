"""What Airflow knows of this provider before any of its modules is imported."""

from __future__ import annotations

from typing import Any

from airflow_provider_b24 import __version__


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata; Airflow reads it at start-up, so it is a plain dict."""
    package = "airflow_provider_b24"
    return {
        "package-name": "airflow-provider-b24",
        "name": "Bitrix24",
        "versions": [__version__],
        "description": (
            "Send polls to Bitrix24 chats and wait for the answers, push messages into open lines, "
            "and call the REST API within its limits."
        ),
        "integrations": [
            {
                "integration-name": "Bitrix24",
                "external-doc-url": "https://apidocs.bitrix24.com/",
                "how-to-guide": ["/docs/asking.md", "/docs/polls.md", "/docs/open_lines.md"],
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "bitrix24",
                "hook-class-name": f"{package}.hooks.bitrix24.Bitrix24Hook",
                "hook-name": "Bitrix24",
                "ui-field-behaviour": _field_behaviour(),
                "conn-fields": _extra_fields(),
            }
        ],
        "hooks": [{"integration-name": "Bitrix24", "python-modules": [f"{package}.hooks.bitrix24"]}],
        "operators": [
            {
                "integration-name": "Bitrix24",
                "python-modules": [
                    f"{package}.operators.polls",
                    f"{package}.operators.ask",
                    f"{package}.operators.open_lines",
                    f"{package}.operators.connectors",
                    f"{package}.operators.crm",
                    f"{package}.operators.chats",
                    f"{package}.operators.rest",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "Bitrix24",
                "python-modules": [f"{package}.sensors.polls", f"{package}.sensors.open_lines"],
            }
        ],
        "extra-links": [
            f"{package}.links.polls.Bitrix24PollResultsLink",
            f"{package}.links.polls.Bitrix24ChatLink",
        ],
        "notifications": [f"{package}.notifications.bitrix24.Bitrix24Notifier"],
        "config": {"bitrix24": _options()},
        "cli": [f"{package}.login.cli.get_cli_commands"],
        "triggers": [
            {
                "integration-name": "Bitrix24",
                "python-modules": [
                    f"{package}.triggers.polls",
                    f"{package}.triggers.ask",
                    f"{package}.triggers.events",
                ],
            }
        ],
        # Airflow 2 knows assets as datasets.
        "asset-uris": [_asset_uris(package)],
        "dataset-uris": [_asset_uris(package)],
        "task-decorators": [{"name": "bitrix24_ask", "class-name": f"{package}.decorators.ask.ask_task"}],
    }


def _asset_uris(package: str) -> dict[str, Any]:
    module = f"{package}.assets.bitrix24"
    return {"schemes": ["bitrix24"], "handler": f"{module}.sanitize_uri", "factory": f"{module}.create_asset"}


def _options() -> dict[str, Any]:
    return {
        "description": "How the provider behaves in this Airflow.",
        "options": {
            "poll_watcher_share": {
                "description": (
                    "The part of a portal's request limit that a triggerer may take to read the polls that "
                    "deferred tasks wait for, above 0 and at most 1. Triggerers that reach the portal from "
                    "one address share its limit: divide by their number."
                ),
                "version_added": "0.1.0",
                "type": "float",
                "example": "0.1",
                "default": "0.25",
            },
            "state_url": {
                "description": (
                    "The Redis through which all hosts behind one address share the portals' request limits "
                    "and the refresh of tokens: redis://, rediss:// or unix://. Empty: each host has a "
                    "directory of its own. Needs the extra airflow-provider-b24[redis]."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "sensitive": True,
                "example": "rediss://:password@redis.example.com:6379/0",
                "default": None,
            },
        },
    }


def _field_behaviour() -> dict[str, Any]:
    return {
        # Airflow 3.3.1 and 3.3.2 refuse to test a stored connection without a port: it can be filled in here.
        # The Test button of Airflow 2.11 breaks on a stored connection whose extra is hidden.
        "hidden-fields": ["schema"],
        "relabeling": {
            "host": "Portal",
            "login": "User id or client_id",
            "password": "Webhook URL or client_secret",
        },
        "placeholders": {
            "host": "acme.bitrix24.com (empty with a webhook URL)",
            "login": "Application: local.… (empty with a webhook URL)",
            "port": "443 for the Test button; else empty",
            "password": "Webhook: https://acme.bitrix24.com/rest/1/…/",
        },
    }


def _extra_fields() -> dict[str, Any]:
    return {
        "refresh_token": _field(
            "Refresh token", "Only for an application: the login command stores it.", secret=True
        ),
        "access_token": _field("Access token", "Only for an application. It may be empty.", secret=True),
        "oauth_server": _field(
            "OAuth server", "Only for an application. Empty: the one of the portal's region."
        ),
        "plan": {
            "label": "Plan",
            "description": (
                "What the portal allows: standard 2 requests a second, enterprise 5, self_hosted no limit."
            ),
            "schema": {
                "type": ["string", "null"],
                "enum": ["standard", "enterprise", "self_hosted"],
                "default": "standard",
            },
        },
        "anonymous_value": _field(
            "ANONYMITY of anonymous polls", "2 or 1; empty is 2. It is checked before the first one is sent."
        ),
        "timeout": {
            "label": "Timeout",
            "description": "Seconds for a whole request. Empty: 70.",
            "schema": {"type": ["number", "null"], "minimum": 1},
        },
        "verify": _field(
            "TLS verification",
            "Empty: the certificate is checked. false: it is not. Or the path of a CA bundle.",
        ),
        "proxies": _field(
            "Proxies",
            'JSON, for example {"https": "http://proxy:3128"}. Empty: the environment\'s.',
            secret=True,
        ),
    }


def _field(label: str, description: str, *, secret: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if secret:
        schema["format"] = "password"
    return {"label": label, "description": description, "schema": schema}
