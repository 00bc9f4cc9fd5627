"""Texts that a DAG with ``render_template_as_native_obj=True`` renders, which stay the texts that they are.

Airflow takes each text that a template gives for a Python literal there: an answer ``1.10`` becomes ``1.1``,
and the phone number ``+79001234567`` loses its plus. An exception in a message stays an object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from airflow_provider_b24.field_values import literal

_STATE = "_b24_rendering"
#: A person's text is none of these: the check of the field refuses them with its path.
_NO_TEXTS = (type(None), list, tuple, set, frozenset, Mapping)
#: Jinja itself makes texts of these constants.
_WORDS = {"None": None, "True": True, "False": False}


class NativeTextsMixin:
    """Makes a class render its own fields without reading Python literals out of texts.

    An expression that stands alone gives its object: a list stays a list. Fields of other classes are
    rendered as Airflow does.
    """

    field_checks: ClassVar[Mapping[str, Any]] = {}
    #: Fields that are a text, or texts in lists and mappings.
    text_fields: ClassVar[frozenset[str]] = frozenset()

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render the fields, called by Airflow for mapped and other tasks alike."""
        render: Callable[..., None] = partial(
            super()._do_render_template_fields,  # type: ignore[misc]
            parent=parent,
            context=context,
            jinja_env=jinja_env,
            seen_oids=seen_oids,
        )
        if parent is not self:
            render(template_fields=template_fields)
            return
        try:
            for name in template_fields:
                self.__dict__[_STATE] = self._value_of(name)
                render(template_fields=[name])
        finally:
            self.__dict__.pop(_STATE, None)

    def _value_of(self, name: str) -> Callable[[list[Any]], Any] | None:
        """Return what makes a field's value of the parts that a template gives; None: as Airflow does."""
        if name in self.text_fields:
            return text_of
        return value_of if name in self.field_checks else None

    def _render(self, template: Any, context: Any, *more: Any, **others: Any) -> Any:
        """Render one text, called by Airflow."""
        make = self.__dict__.get(_STATE)
        if make is None:
            return super()._render(template, context, *more, **others)  # type: ignore[misc]
        parts = _parts(template, context)
        return make(parts) if _is_native(template.environment) else "".join(map(str, parts))


def text_of(parts: list[Any]) -> Any:
    """Return the text of a template; a list, a mapping or None that stands alone stays what it is.

    :param parts: what the template gives, expressions as objects.
    """
    if len(parts) == 1 and isinstance(parts[0], _NO_TEXTS):
        return parts[0]
    return "".join(map(str, parts))


def value_of(parts: list[Any]) -> Any:
    """Return the object of an expression that stands alone, else the text, or what is no number in it.

    :param parts: what the template gives, expressions as objects.
    """
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]
    text = "".join(map(str, parts))
    return _WORDS[text] if text in _WORDS else literal(text)


def _parts(template: Any, context: Any) -> list[Any]:
    """Return what a template gives, without resolving what it does not use of the context."""
    known = copy.copy(context)
    known.update((name, value) for name, value in template.globals.items() if name not in known)
    env = template.environment
    try:
        return list(template.root_render_func(env.context_class(env, known, template.name, template.blocks)))
    except Exception:
        # Rewrites the traceback to point to the template.
        env.handle_exception()
        raise


def _is_native(environment: Any) -> bool:
    from jinja2.nativetypes import NativeEnvironment

    return isinstance(environment, NativeEnvironment)
