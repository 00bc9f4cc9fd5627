"""im.user.list.get: users as chats show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api import im_format
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call


@method("im.user.list.get", scope="im")
def user_list(call: Call) -> object:
    """Return users by id, and null for an id that names nobody."""
    wanted = [php.to_int(value) for _, value in php.pairs(php.upper_keys(call.params).get("ID"))]
    if not any(number > 0 for number in wanted):
        raise ApiError("INVALID_FORMAT", "A wrong format for the USERS field is passed")
    people = call.portal.people
    return {
        str(number): im_format.user(found) if (found := people.get(number)) else None
        for number in wanted
        if number > 0
    }
