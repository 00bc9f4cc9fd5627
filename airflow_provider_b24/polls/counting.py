"""The count of a poll by a rule: who voted is read only when it matters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.electorate import Electorate, Voters, count_votes, without_own_vote
from airflow_provider_b24.polls.rules import Everybody, FirstTo, Stopped, min_voters
from airflow_provider_b24.polls.verdict import Pending, Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_b24.chats.api import ChatsApi
    from airflow_provider_b24.polls.api import PollsApi
    from airflow_provider_b24.polls.poll import Poll
    from airflow_provider_b24.polls.reference import PollReference
    from airflow_provider_b24.polls.rules import Rule


@dataclass(frozen=True)
class Count:
    """A poll, counted.

    :param poll: the poll with the votes that count.
    :param verdict: what the rule says of it.
    :param electorate: who counts; the people of ``everybody`` are named.
    :param voters: who chose which answer; None when it was not read.
    """

    poll: Poll
    verdict: Verdict
    electorate: Electorate
    voters: Voters | None = None


class VoteCounter:
    """Counts the votes of those who count.

    :param polls: the portal's polls.
    :param chats: the portal's chats.
    :param rule: when the poll is decided.
    :param electorate: who counts.
    :param chat_id: the poll's chat, whose members ``everybody`` means.
    :param account_id: returns the asking account, which never counts; it is called only when needed.
    :param early: decide as soon as further votes can't change the outcome.
    """

    def __init__(
        self,
        *,
        polls: PollsApi,
        chats: ChatsApi,
        rule: Rule,
        electorate: Electorate | None = None,
        chat_id: int | None = None,
        account_id: Callable[[], int] | None = None,
        early: bool = True,
    ) -> None:
        if rule == Everybody() and chat_id is None:
            raise Bitrix24ValidationError("chat_id", "the rule 'everybody' needs the poll's chat")
        self._polls = polls
        self._chats = chats
        self._rule = rule
        self._electorate = electorate or Electorate()
        self._chat_id = chat_id
        self._account_id = account_id
        self._early = early

    def count(self, reference: PollReference, poll: Poll, *, with_voters: bool = False) -> Count:
        """Return the count of a poll that was just read.

        :param reference: how the poll is named.
        :param poll: the poll.
        :param with_voters: read who voted although the rule does not need it.
        :raises Bitrix24Error: when the voters or the chat's members can't be read.
        """
        rule = self._members() if self._rule == Everybody() else self._rule
        if poll.anonymous or not with_voters:
            found = count_unread(poll, rule, self._electorate, early=self._early)
            if found is not None:
                return found
        rule, electorate = _named(rule, self._electorate)
        voters = self._polls.voters(reference.to_dict())
        excluded = electorate.excluded | self._asking_account(poll)
        electorate = replace(electorate, excluded=excluded)
        counted = count_votes(poll, voters, electorate)
        verdict = decide(counted, rule, early=self._early, electorate=electorate.size)
        return Count(counted, verdict, electorate, voters)

    def _members(self) -> Everybody:
        members = set(self._chats.people(self._chat_id or 0))
        if self._account_id is not None:
            members.discard(self._account_id())
        return Everybody(tuple(sorted(members)))

    def _asking_account(self, poll: Poll) -> frozenset[int]:
        needed = poll.is_voted and self._account_id is not None
        return frozenset({self._account_id()}) if needed and self._account_id else frozenset()


def count_unread(poll: Poll, rule: Rule, electorate: Electorate, *, early: bool = True) -> Count | None:
    """Return the count of a poll that needs nothing but the poll; None when more must be read. Pure.

    :param poll: the poll.
    :param rule: when it is decided.
    :param electorate: who counts.
    :param early: decide as soon as further votes can't change the outcome.
    """
    if rule == Everybody():
        return None
    rule, electorate = _named(rule, electorate)
    # Votes may be among the poll's that do not count, so that it can't be decided by it alone.
    is_unsure = electorate.needs_voters and not poll.anonymous
    if is_unsure and (poll.is_finished or poll.voters >= _earliest(rule)):
        return None
    counted = without_own_vote(poll)
    verdict = Pending() if is_unsure else decide(counted, rule, early=early, electorate=electorate.size)
    return Count(counted, verdict, electorate)


def _named(rule: Rule, electorate: Electorate) -> tuple[Rule, Electorate]:
    """Return rule and electorate with those people alone whom the rule names, if it names any."""
    if not isinstance(rule, Everybody):
        return rule, electorate
    electorate = electorate.narrowed(rule)
    people = (electorate.allowed or frozenset()) - electorate.excluded
    return Everybody(tuple(sorted(people))), electorate


def _earliest(rule: Rule) -> float:
    """Return with how many votes a rule may decide at the earliest: half of a turnout may be enough."""
    needed = min_voters(rule)
    return needed if isinstance(rule, FirstTo | Stopped) else (needed + 1) // 2
