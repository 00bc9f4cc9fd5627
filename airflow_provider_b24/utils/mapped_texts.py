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
        fields = list(template_fields)
        mapped = _mapped_by_xcom(self, context) if parent is self else None
        if mapped is not None:
            fields = [name for name in fields if _is_authors(self, name, mapped)]
        super()._do_render_template_fields(  # type: ignore[misc]
            parent=parent, template_fields=fields, context=context, jinja_env=jinja_env, seen_oids=seen_oids
        )


def _mapped_by_xcom(operator: Any, context: Mapping[str, Any]) -> Any:
    """Return the mapped operator in the DAG when ``expand_kwargs`` filled this one from XCom, else None."""
    dag = operator.get_dag()
    mapped = dag.task_dict.get(operator.task_id) if dag is not None else None
    rows = getattr(getattr(mapped, "expand_input", None), "value", None)
    if rows is None or isinstance(rows, Mapping):
        return None
    row = rows[context["ti"].map_index] if isinstance(rows, Sequence) else rows
    return None if isinstance(row, Mapping) else mapped


def _is_authors(operator: Any, name: str, mapped: Any) -> bool:
    """Say whether a field's value is in ``partial`` or in default arguments."""
    if name in mapped.partial_kwargs and getattr(mapped, "_disallow_kwargs_override", False):
        return True
    # XCom may have replaced the author's value, so the object itself is compared.
    value = getattr(operator, name, None)
    group = getattr(operator.task_group, "default_args", None) or {}
    given = [mapped.partial_kwargs, group, operator.dag.default_args or {}]
    return any(name in values and values[name] is value for values in given)
