"""What one batch asks for: fifty polls a ``getMany``, and the others one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.reference import PollReference, ReferenceKind, entity_params, is_entity

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = "vote.AttachedVote.get"
GET_MANY = "vote.AttachedVote.getMany"
#: Polls that one ``getMany`` takes.
MAX_LIST_POLLS = 50


@dataclass
class PollRequest:
    """What one batch asks for.

    :param lists: polls of one kind each, for ``getMany``.
    :param singles: polls that are read alone.
    """

    lists: list[list[PollReference]] = field(default_factory=list)
    singles: list[PollReference] = field(default_factory=list)
    _open_lists: dict[ReferenceKind, list[PollReference]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __len__(self) -> int:
        return sum(map(len, self.lists)) + len(self.singles)

    def __iter__(self) -> Iterator[PollReference]:
        for part in self.lists:
            yield from part
        yield from self.singles

    @property
    def command_count(self) -> int:
        """How many of the batch's commands it takes."""
        return len(self.lists) + len(self.singles)

    def add(self, reference: PollReference, *, max_commands: float = float("inf")) -> bool:
        """Add a poll, to a list where ``getMany`` can read it; return False when there is no room for it.

        :param reference: the poll.
        :param max_commands: how many commands the request may take.
        """
        part = self._open_lists.get(reference.kind)
        if part is not None and len(part) < MAX_LIST_POLLS:
            part.append(reference)
            return True
        if self.command_count >= max_commands:
            return False
        if is_entity(reference.kind):
            self._open_lists[reference.kind] = part = [reference]
            self.lists.append(part)
        else:
            self.singles.append(reference)
        return True

    def commands(self) -> dict[Any, tuple[str, dict[str, Any]]]:
        """Return the batch's commands: a list's position, or the reference of a single, to its call."""
        commands: dict[Any, tuple[str, dict[str, Any]]] = {
            reference: (GET, reference.params()) for reference in self.singles
        }
        for position, part in enumerate(self.lists):
            ids = [reference.value for reference in part]
            commands[position] = GET_MANY, {**entity_params(part[0].kind), "entityIds": ids}
        return commands
