"""Texts that a mapped task took from XCom, which are data and not templates.

Airflow renders what ``expand_kwargs`` took from XCom as templates, so that a customer's text
``{{ conn.x.password }}`` would show the password. The values of ``expand`` and of plain XComArgs it leaves
as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class MappedTextsMixin:
    """Makes an operator render the DAG author's texts only, also after ``expand_kwargs``."""

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render the fields, called by Airflow for mapped and other tasks alike."""
        if parent is self:
            # Airflow leaves the objects with these ids as they are.
            seen_oids = seen_oids.union(map(id, _values_from_xcom(self, template_fields, context)))
        super()._do_render_template_fields(  # type: ignore[misc]
            parent=parent,
            template_fields=template_fields,
            context=context,
            jinja_env=jinja_env,
            seen_oids=seen_oids,
        )


def _values_from_xcom(operator: Any, fields: Iterable[str], context: Mapping[str, Any]) -> list[Any]:
    """Return what ``expand_kwargs`` took from XCom: fields, or arguments of a decorated function."""
    mapped = _mapped_by_xcom(operator, context)
    if mapped is None:
        return []
    if hasattr(mapped, "op_kwargs_expand_input"):
        given = mapped.partial_kwargs["op_kwargs"]
        return [value for name, value in operator.op_kwargs.items() if not _is_in(given, name, value)]
    return [getattr(operator, name, None) for name in fields if not _is_authors(operator, name, mapped)]


def _mapped_by_xcom(operator: Any, context: Mapping[str, Any]) -> Any:
    """Return the mapped operator in the DAG when ``expand_kwargs`` filled this one from XCom, else None."""
    dag = operator.get_dag()
    mapped = dag.task_dict.get(operator.task_id) if dag is not None else None
    expansion = getattr(mapped, "op_kwargs_expand_input", None) or getattr(mapped, "expand_input", None)
    rows = getattr(expansion, "value", None)
    if rows is None or isinstance(rows, Mapping):
        return None
    row = rows[context["ti"].map_index] if isinstance(rows, Sequence) else rows
    return None if isinstance(row, Mapping) else mapped


def _is_authors(operator: Any, name: str, mapped: Any) -> bool:
    """Say whether a field's value is in ``partial`` or in default arguments."""
    if name in mapped.partial_kwargs and getattr(mapped, "_disallow_kwargs_override", False):
        return True
    value = getattr(operator, name, None)
    group = getattr(operator.task_group, "default_args", None) or {}
    return any(
        _is_in(given, name, value)
        for given in (mapped.partial_kwargs, group, operator.dag.default_args or {})
    )


def _is_in(given: Mapping[str, Any], name: str, value: Any) -> bool:
    """Say whether the author gave this very value: XCom may have replaced it by another."""
    return name in given and given[name] is value
