"""What a connector was last set up with, remembered on the portal.

Bitrix24 shows the name of a connector and its status, but neither icon nor handler nor data. So a digest of
what was sent is kept in the settings of the application's user (``user.option.set``), beside the portal's own
state: every Airflow that uses the application sees it, and a new portal knows nothing of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24Error, Outcome

if TYPE_CHECKING:
    from airflow_provider_b24.rest.client import Bitrix24Client

log = logging.getLogger(__name__)

GET, SET = "user.option.get", "user.option.set"


def registration_key(connector: str) -> str:
    """Return the name of the setting with the digest of a registration."""
    return f"airflow_connector_{connector}"


def data_key(connector: str, line: int) -> str:
    """Return the name of the setting with the digest of a line's data."""
    return f"airflow_connector_{connector}_line_{line}"


def remember(client: Bitrix24Client, digests: dict[str, str]) -> None:
    """Keep digests; an empty one forgets.

    A portal that refuses is no failure: then the next run sends registration and data once more.

    :param digests: the settings' names and values.
    """
    if not digests:
        return
    try:
        client.call(SET, {"options": digests})
    except Bitrix24Error as error:
        if error.outcome is not Outcome.REFUSED or error.connection_wide:
            raise
        log.warning("The portal does not keep what the connector was set up with: %s", error)
