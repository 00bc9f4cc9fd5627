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
        rule, electorate = self._rule, self._electorate
        if isinstance(rule, Everybody):
            rule = rule if rule.user_ids is not None else self._members()
            electorate = electorate.narrowed(rule)
            rule = Everybody(tuple(sorted((electorate.allowed or frozenset()) - electorate.excluded)))
        if poll.anonymous or not self._must_read(poll, rule, electorate, with_voters=with_voters):
            counted = without_own_vote(poll)
            verdict = (
                Pending() if self._is_unsure(poll, electorate) else self._decide(counted, rule, electorate)
            )
            return Count(counted, verdict, electorate)
        voters = self._polls.voters(reference.to_dict())
        excluded = electorate.excluded | self._asking_account(poll)
        electorate = replace(electorate, excluded=excluded)
        counted = count_votes(poll, voters, electorate)
        return Count(counted, self._decide(counted, rule, electorate), electorate, voters)

    def _members(self) -> Everybody:
        members = set(self._chats.people(self._chat_id or 0))
        if self._account_id is not None:
            members.discard(self._account_id())
        return Everybody(tuple(sorted(members)))

    def _asking_account(self, poll: Poll) -> frozenset[int]:
        needed = poll.is_voted and self._account_id is not None
        return frozenset({self._account_id()}) if needed and self._account_id else frozenset()

    def _must_read(self, poll: Poll, rule: Rule, electorate: Electorate, *, with_voters: bool) -> bool:
        if with_voters:
            return True
        if not electorate.needs_voters:
            return False
        return poll.is_finished or poll.voters >= _earliest(rule)

    @staticmethod
    def _is_unsure(poll: Poll, electorate: Electorate) -> bool:
        """Say whether votes may be among the poll's that do not count, so that it can't be decided yet."""
        return electorate.needs_voters and not poll.anonymous

    def _decide(self, poll: Poll, rule: Rule, electorate: Electorate) -> Verdict:
        return decide(poll, rule, early=self._early, electorate=electorate.size)


def _earliest(rule: Rule) -> float:
    """Return with how many votes a rule may decide at the earliest: half of a turnout may be enough."""
    needed = min_voters(rule)
    return needed if isinstance(rule, FirstTo | Stopped) else (needed + 1) // 2
