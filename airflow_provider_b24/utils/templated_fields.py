"""What the fields of all operators and sensors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow_provider_b24.field_values import check_text
from airflow_provider_b24.utils.checked_fields import CheckedFieldsMixin
from airflow_provider_b24.utils.mapped_texts import MappedTextsMixin
from airflow_provider_b24.utils.native_texts import NativeTextsMixin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_b24.field_values import Check


class TemplatedFieldsMixin(CheckedFieldsMixin, MappedTextsMixin, NativeTextsMixin):
    """The fields of a task: rendered as what they are, and checked by one table."""

    field_checks: ClassVar[Mapping[str, Check]] = {"bitrix24_conn_id": check_text}
    text_fields: ClassVar[frozenset[str]] = frozenset({"bitrix24_conn_id"})
