"""Which ANONYMITY hides who voted, as it was found, for the processes of a host and for all workers."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24StateError
from airflow_provider_b24.rest.shared_state import shared_state
from airflow_provider_b24.rest.variables import read_variable, write_variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.rest.shared_state import Mark

log = logging.getLogger(__name__)

#: Portals are updated: what was found is looked at again after a month.
_KEPT_SECONDS = 30 * 86_400.0
_ENTRY = re.compile(r"([12]) ([0-9]{1,15})", re.ASCII)


class AnonymityMemory:
    """The number of one portal, which the first worker finds and the others read.

    :param portal: the portal's address.
    :param clock: returns Unix seconds.
    """

    def __init__(self, portal: str, *, clock: Callable[[], float]) -> None:
        self._portal = portal
        self._clock = clock
        self._variable = variable_name(portal)

    def number(self, look: Callable[[], int | None]) -> int | None:
        """Return the number that hides who voted; None when the portal does not show it.

        :param look: finds it on the portal; called by one process of a host at a time.
        """
        try:
            with shared_state().lock(f"anonymity {self._portal}") as mark:
                return self._number(mark, look)
        except Bitrix24StateError:
            # Without shared state, each process looks for itself.
            return self._from_variable() or self._look(look)

    def _number(self, mark: Mark, look: Callable[[], int | None]) -> int | None:
        if known := self._fresh(mark.read()):
            return known
        found = self._from_variable() or self._look(look)
        if found:
            mark.write(self._entry(found))
        return found

    def _look(self, look: Callable[[], int | None]) -> int | None:
        found = look()
        if found:
            try:
                write_variable(self._variable, self._entry(found))
            except Exception as error:  # noqa: BLE001 - a script without a database looks again, no more
                log.debug("The Variable %s was not written: %s", self._variable, type(error).__name__)
        return found

    def _from_variable(self) -> int | None:
        try:
            return self._fresh(read_variable(self._variable) or "")
        except Exception as error:  # noqa: BLE001 - whatever Airflow's backends raise, the portal can be asked
            log.debug("The Variable %s was not read: %s", self._variable, type(error).__name__)
            return None

    def _entry(self, number: int) -> str:
        return f"{number} {int(self._clock())}"

    def _fresh(self, entry: str) -> int | None:
        """Return the number of an entry; None when it is old, from the future, or none."""
        match = _ENTRY.fullmatch(entry)
        is_fresh = match and 0 <= self._clock() - int(match[2]) < _KEPT_SECONDS
        return int(match[1]) if match and is_fresh else None


def variable_name(portal: str) -> str:
    """Return the name of the Variable that holds a portal's number.

    :param portal: the portal's address.
    """
    return (
        "bitrix24_anonymous_value__"
        + re.sub(r"\W+", "_", portal.rsplit("://", maxsplit=1)[-1]).strip("_").lower()
    )
