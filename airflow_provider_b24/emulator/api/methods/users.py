"""user.*, profile: the people of the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator import php
from airflow_provider_b24.emulator.api.call import Call, Page
from airflow_provider_b24.emulator.api.registry import method

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.emulator.state.people import User

USERS_A_PAGE = 50

FIELDS: dict[str, Callable[[User], str]] = {
    "ID": lambda user: str(user.id),
    "NAME": lambda user: user.name,
    "LAST_NAME": lambda user: user.last_name,
    "EMAIL": lambda user: user.email,
    "WORK_POSITION": lambda user: user.position,
}


@method("user.current", scope="user_basic")
def current(call: Call) -> object:
    """Return the caller."""
    return _user(call.user)


@method("user.get", scope="user_basic")
def get(call: Call) -> object:
    """Return the users that fit the filter, 50 a page."""
    params = php.upper_keys(call.params)
    criteria = {**params, **php.upper_keys(dict(php.pairs(params.get("FILTER"))))}
    users = [user for user in call.portal.people.employees() if _fits(user, criteria)]
    return _page(call, _sorted(users, params))


@method("user.search", scope="user_basic")
def search(call: Call) -> object:
    """Return the users whose name, position or fields fit."""
    params = php.upper_keys(call.params)
    criteria = {**params, **php.upper_keys(dict(php.pairs(params.get("FILTER"))))}
    text = str(criteria.pop("FIND", "") or "").casefold()
    return _page(
        call,
        [
            user
            for user in call.portal.people.employees()
            if text in f"{user.full_name} {user.position}".casefold() and _begins(user, criteria)
        ],
    )


@method("department.get", scope="department")
def departments(call: Call) -> object:
    """Return the departments: all employees are in one."""
    params = php.upper_keys(call.params)
    rows = [{"ID": "1", "NAME": "Company", "SORT": 500, "UF_HEAD": "1"}]
    shown = [row for row in rows if "ID" not in params or str(row["ID"]) in _wanted(params["ID"])]
    return Page(shown, total=len(shown))


@method("profile")
def profile(call: Call) -> object:
    """Return the caller in brief; open to every scope."""
    return {
        "ID": str(call.user.id),
        "ADMIN": call.user.admin,
        "NAME": call.user.name,
        "LAST_NAME": call.user.last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }


def _page(call: Call, users: list[User]) -> Page:
    start = max(call.start or 0, 0)
    end = start + USERS_A_PAGE
    shown = [_user(user) for user in users[start:end]]
    return Page(shown, total=len(users), next=end if end < len(users) else None)


def _sorted(users: list[User], params: dict[str, Any]) -> list[User]:
    """Order as SORT and ORDER say; without them, by id."""
    read = FIELDS.get(str(params.get("SORT") or "ID").upper(), FIELDS["ID"])
    descending = str(params.get("ORDER") or "").upper() == "DESC"
    # Ids are numbers and must not sort as text; shorter ones are smaller.
    return sorted(
        users,
        key=lambda user: (len(read(user)) if read is FIELDS["ID"] else 0, read(user)),
        reverse=descending,
    )


def _fits(user: User, criteria: dict[str, Any]) -> bool:
    if "ACTIVE" in criteria and _flag(criteria["ACTIVE"]) is not user.active:
        return False
    return all(
        read(user).casefold() in _wanted(criteria[name]) for name, read in FIELDS.items() if name in criteria
    )


def _begins(user: User, criteria: dict[str, Any]) -> bool:
    return all(
        any(read(user).casefold().startswith(text) for text in _wanted(criteria[name]))
        for name, read in FIELDS.items()
        if name in criteria
    )


def _wanted(value: Any) -> list[str]:
    values = [item for _, item in php.pairs(value)] if php.is_array(value) else [value]
    return [str(item).casefold() for item in values]


def _flag(value: Any) -> bool:
    return php.truthy(value) and value not in {"N", "false"}


def _user(user: User) -> dict[str, Any]:
    return {
        "ID": str(user.id),
        "XML_ID": "",
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": "",
        "DATE_REGISTER": "2024-01-15T00:00:00+00:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        "PERSONAL_GENDER": "",
        "PERSONAL_PHOTO": user.avatar,
        "WORK_POSITION": user.position,
        "UF_DEPARTMENT": [1],
        "USER_TYPE": "employee",
    }
