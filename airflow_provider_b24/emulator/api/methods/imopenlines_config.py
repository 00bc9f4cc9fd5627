"""The imopenlines.config.* methods: the open lines themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.emulator.api import line_format
from airflow_provider_b24.emulator.api.registry import method
from airflow_provider_b24.emulator.php import is_array, is_numeric, pairs, to_int, truthy
from airflow_provider_b24.emulator.php.api_error import ApiError

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.api.call import Call

SCOPE = "imopenlines"
LISTS = ("select", "order", "filter")
NUMBERS = ("limit", "offset")
FIELDS = ("ID", "ACTIVE", "LINE_NAME")
PAGE, LARGEST_PAGE = 50, 200

Row = dict[str, Any]


@method("imopenlines.config.list.get", scope=SCOPE)
def configs(call: Call) -> object:
    """Return a page of the open lines, filtered, ordered and cut down as asked."""
    params, options = _inner(call, "PARAMS"), _inner(call, "OPTIONS")
    _check(params)
    queue = options.get("QUEUE") == "Y"
    rows = [line_format.config(call.portal, line, queue=queue) for line in call.portal.lines]
    rows = _ordered(_filtered(rows, params.get("filter")), params.get("order"))
    first = to_int(params.get("offset"))
    page = rows[first : first + _page_size(params.get("limit"))]
    return [_selected(row, [str(name) for _, name in pairs(params.get("select"))]) for row in page]


def _inner(call: Call, name: str) -> Row:
    value = call.params.get(name)
    return value if isinstance(value, dict) else {}


def _check(params: Row) -> None:
    unknown = [name for name in params if name not in LISTS + NUMBERS]
    if unknown:
        raise _wrong(f"Unsupported PARAMS fields are passed: {', '.join(unknown)}")
    for name in LISTS:
        if params.get(name) is not None:
            _check_list(name, params[name])
    for name in NUMBERS:
        value = params.get(name)
        if value is not None and not (is_numeric(value) and to_int(value) >= 0):
            raise _wrong(f"A non-negative integer is expected in the PARAMS field '{name}'")


def _check_list(name: str, value: object) -> None:
    if not is_array(value):
        raise _wrong(f"A wrong format for the PARAMS field '{name}' is passed")
    for key, item in pairs(value):
        field = str(item if name == "select" else key).lstrip("=!<>%@")
        if field not in FIELDS and field != "*":
            raise _wrong(f"An unknown field '{field}' is passed in the PARAMS field '{name}'")


def _wrong(text: str) -> ApiError:
    return ApiError("INVALID_FORMAT", text)


def _filtered(rows: list[Row], wanted: object) -> list[Row]:
    for name, value in pairs(wanted):
        rows = [row for row in rows if _matches(row.get(name.lstrip("=")), value)]
    return rows


def _matches(value: object, wanted: object) -> bool:
    allowed = [item for _, item in pairs(wanted)] if is_array(wanted) else [wanted]
    return str(value) in [str(item) for item in allowed]


def _ordered(rows: list[Row], wanted: object) -> list[Row]:
    for name, way in reversed(pairs(wanted)):
        keys = [_sortable(row.get(name)) for row in rows]
        order = sorted(range(len(rows)), key=keys.__getitem__, reverse=str(way).upper() == "DESC")
        rows = [rows[position] for position in order]
    return rows


def _sortable(value: object) -> tuple[int, str]:
    return (to_int(value), "") if is_numeric(value) else (0, str(value))


def _page_size(limit: object) -> int:
    return min(to_int(limit), LARGEST_PAGE) if truthy(limit) else PAGE


def _selected(row: Row, names: list[str]) -> Row:
    if not names or "*" in names:
        return row
    return {name: value for name, value in row.items() if name in (*names, "QUEUE")}


@method("imopenlines.config.get", scope=SCOPE)
def config(call: Call) -> object:
    """Return one open line, with its operators unless WITH_QUEUE says no; false if there is none."""
    line_id = to_int(call.params.get("CONFIG_ID"))
    if line_id <= 0:
        raise ApiError("CONFIG_ID_EMPTY", "Config ID can't be empty")
    line = call.portal.lines.get(line_id)
    if line is None:
        return False
    return line_format.config(call.portal, line, queue=call.params.get("WITH_QUEUE", "Y") == "Y")
