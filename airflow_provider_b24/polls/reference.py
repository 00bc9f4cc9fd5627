"""The ways to name a poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.field_values import literal
from airflow_provider_b24.ids import positive_number


class ReferenceKind(StrEnum):
    """What a poll is named by, as the key in a mapping."""

    MESSAGE = "message_id"
    POST = "post_id"
    ATTACH = "attach_id"
    SIGNED = "signed_attach_id"


#: Module and type of what a poll is attached to. The stored module is lower case, the type has single
#: backslashes; the portal compares both as they are.
_ENTITIES = {
    ReferenceKind.MESSAGE: ("im", "Bitrix\\Vote\\Attachment\\ImMessageConnector"),
    ReferenceKind.POST: ("blog", "Bitrix\\Vote\\Attachment\\BlogPostConnector"),
}
_RULE = (
    "name the poll by its message id, or by a mapping with message_id, post_id, attach_id or signed_attach_id"
)


@dataclass(frozen=True)
class PollReference:
    """One poll, named in one of four ways.

    :param kind: what the value is.
    :param value: a positive number, or the signed id.
    """

    kind: ReferenceKind
    value: int | str

    def params(self) -> dict[str, Any]:
        """Return the parameters by which ``vote.AttachedVote.*`` finds the poll."""
        if self.kind is ReferenceKind.ATTACH:
            return {"attachId": self.value}
        if self.kind is ReferenceKind.SIGNED:
            return {"signedAttachId": self.value}
        return {**entity_params(self.kind), "entityId": self.value}

    def to_dict(self) -> dict[str, int | str]:
        """Return the reference as JSON values."""
        return {str(self.kind): self.value}

    def __str__(self) -> str:
        # A signed id grants reading the poll, so it is not shown.
        return (
            f"{self.kind} {self.value}" if self.kind is not ReferenceKind.SIGNED else "signed_attach_id ***"
        )


def entity_params(kind: ReferenceKind) -> dict[str, str]:
    """Return module and type of what a poll is attached to, as ``getMany`` takes them.

    :param kind: a message or a feed post.
    """
    module, entity_type = _ENTITIES[kind]
    return {"moduleId": module, "entityType": entity_type}


def is_entity(kind: ReferenceKind) -> bool:
    """Say whether ``getMany`` can read polls that are named so.

    :param kind: how the poll is named.
    """
    return kind in _ENTITIES


def parse_reference(poll: Any, path: str = "poll") -> PollReference:
    """Return the reference that a user's value means.

    :param poll: a message id (int or digits), a mapping with one of the four keys, a ``Poll``, what the
        send operator or ``Poll.to_dict()`` returned, or either of these rendered to text by a template.
    :param path: what the error calls the value.
    :raises Bitrix24ValidationError: when it names no poll.
    """
    if isinstance(poll, PollReference):
        return poll
    # A Poll is built from references, so its class can't be imported here.
    described = poll.to_dict() if hasattr(poll, "to_dict") else poll
    value = literal(described) if isinstance(described, str) else described
    if isinstance(value, Mapping):
        return _from_mapping(value, path)
    number = positive_number(value)
    if number is None:
        raise Bitrix24ValidationError(path, _RULE)
    return PollReference(ReferenceKind.MESSAGE, number)


def _from_mapping(data: Mapping[str, Any], path: str) -> PollReference:
    for kind in ReferenceKind:
        value = data.get(kind)
        if value is None:
            continue
        if kind is ReferenceKind.SIGNED:
            return PollReference(kind, _signed(value, path))
        number = positive_number(value)
        if number is None:
            raise Bitrix24ValidationError(f"{path}.{kind}", "must be a positive number")
        return PollReference(kind, number)
    rule = "vote_id names no poll; use message_id" if "vote_id" in data else _RULE
    raise Bitrix24ValidationError(path, rule)


def _signed(value: Any, path: str) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Bitrix24ValidationError(f"{path}.signed_attach_id", "must be the text that the portal gave")
