"""Which polls of a reply may be decided. The others need not be parsed, nor kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_b24.polls.bulk import UNDECIDED
from airflow_provider_b24.rest.php import as_bool, as_count

if TYPE_CHECKING:
    from airflow_provider_b24.polls.reference import PollReference


class UndecidedFilter:
    """Tells polls that a rule may decide from those of which nothing but the entity id is needed."""

    def __init__(self) -> None:
        self._min_voters: Mapping[PollReference, float] = {}
        self._by_entity: dict[str, float] = {}

    @property
    def min_voters(self) -> Mapping[PollReference, float]:
        """How many people must have voted before a rule may decide a poll."""
        return self._min_voters

    @min_voters.setter
    def min_voters(self, min_voters: Mapping[PollReference, float]) -> None:
        self._min_voters = min_voters
        self._by_entity = {}
        for reference, voters in min_voters.items():
            # A message and a post may have the same entity id, and share the smaller number.
            entity = str(reference.value)
            self._by_entity[entity] = min(voters, self._by_entity.get(entity, voters))

    def is_decidable(self, attach: Mapping[str, Any], reference: PollReference) -> bool:
        """Say whether a rule may decide a poll.

        :param attach: the poll as the portal describes it.
        :param reference: how it was named.
        """
        return _is_decidable(attach, self._min_voters.get(reference, 0))

    def prune(self, result: Any) -> Any:
        """Return a ``getMany``'s result with undecided polls as mere entity ids under ``UNDECIDED``.

        :param result: a command's result.
        """
        items = result.get("items") if isinstance(result, Mapping) else None
        if not isinstance(items, list):
            return result
        # Numbers and not objects: thousands of objects a second make the garbage collector stop the
        # whole triggerer, again and again, to traverse all that it holds.
        undecided: list[Any] = []
        decidable: list[Any] = []
        for item in items:
            if self._is_undecided(item):
                undecided.append(item["entityId"])
            else:
                decidable.append(item)
        return {"items": decidable, UNDECIDED: undecided}

    def _is_undecided(self, item: Any) -> bool:
        if not isinstance(item, Mapping) or "entityId" not in item:
            return False
        return not _is_decidable(item, self._by_entity.get(str(item["entityId"]), 0))


def _is_decidable(attach: Mapping[str, Any], min_voters: float) -> bool:
    """Say whether the poll is stopped or enough people have voted; also when it does not say.

    What it does not say is an error that the poll's parser names.
    """
    try:
        return as_bool(attach.get("isFinished")) or as_count(attach.get("COUNTER")) >= min_voters
    except ValueError:
        return True
