"""Every error that this provider raises, in one tree.

Bitrix24Error
├── Bitrix24ValidationError             bad input; nothing was sent
├── Bitrix24PushStateError              what earlier tries of a push remember can't be used
├── Bitrix24ConfigurationError          the Airflow connection can't be used as it is
│   └── Bitrix24LoginError              the application could not be authorised; nothing was stored
├── Bitrix24StateError                  the files that processes share can't be used; nothing was sent
│   └── Bitrix24LockTimeoutError        another process holds a lock for too long
├── Bitrix24NoAnswerError               no usable answer came; asking again is safe
│   └── Bitrix24UnreachableError        the portal could not be reached; nothing was executed
├── Bitrix24OutcomeUnknownError         it may or may not have been executed; not retried by anyone
└── Bitrix24ApiError                    the portal answered with an error
    ├── Bitrix24AuthError               the credentials are not accepted
    │   ├── Bitrix24ExpiredTokenError   the access token has expired
    │   ├── Bitrix24TokenRefreshError   the refresh token is not accepted
    │   └── Bitrix24AuthTypeError       the method needs an OAuth application
    ├── Bitrix24AccessDeniedError       the user behind the connection may not do this
    │   ├── Bitrix24ScopeError          the webhook or application lacks a scope
    │   ├── Bitrix24PlanError           the portal's plan does not include this
    │   ├── Bitrix24ChatAccessError     the user may not see this chat, or not write in it
    │   └── Bitrix24PollAccessError     the user may not see this poll
    ├── Bitrix24NotFoundError
    │   ├── Bitrix24MethodNotFoundError
    │   ├── Bitrix24PollNotFoundError
    │   └── Bitrix24ChatNotFoundError
    ├── Bitrix24ArgumentError           the portal finds a parameter missing or wrong
    ├── Bitrix24LimitError
    │   ├── Bitrix24RateLimitError      too many requests; nothing was executed
    │   ├── Bitrix24OperatingLimitError the method used up its running time; nothing was executed
    │   └── Bitrix24OverloadError       blocked by hand; only Bitrix24's support lifts it
    ├── Bitrix24ServerError             the portal broke while it answered
    ├── Bitrix24PortalError             the portal is gone
    │   ├── Bitrix24PortalMovedError    the portal has another address now
    │   └── Bitrix24HttpsRequiredError  the portal takes no calls over plain http
    ├── Bitrix24ListIncompleteError     a list ends before all of its rows came
    ├── Bitrix24BatchError              the batch, or a command's place in it, is refused
    │   └── Bitrix24BatchIncompleteError some commands failed; the others are done
    ├── Bitrix24PollError
    │   ├── Bitrix24PollRejectedError   the portal would not create the poll
    │   ├── Bitrix24AnonymityError      the portal would show who votes in an anonymous poll
    │   ├── Bitrix24PollFinishedError   the poll is stopped
    │   ├── Bitrix24AlreadyVotedError   this user has voted, and the poll takes no second vote
    │   ├── Bitrix24RecallNotAllowedError
    │   ├── Bitrix24BallotRejectedError the portal took none of the answers
    │   ├── Bitrix24PollUndecidedError  the rule can no longer be met
    │   │   └── Bitrix24PollTiedError   several answers have the most votes
    │   ├── Bitrix24PollTimeoutError    the deadline passed, and there is no default answer
    │   └── Bitrix24PollDisapprovedError people rejected what was to be approved
    ├── Bitrix24MessageError            a chat message is refused
    └── Bitrix24OpenLineError
        ├── Bitrix24LineNotActiveError
        ├── Bitrix24LineNotFoundError   no open line has this number or name, or several have the name
        ├── Bitrix24ConnectorError      the connector is unknown, not set up, or refused
        ├── Bitrix24CrmChatError        the CRM item has no such open-line chat
        ├── Bitrix24DeliveryError       some messages were not delivered; the report says which
        └── Bitrix24PushIncompleteError a push has stopped; a retry sends the rest

All derive from AirflowException, so ``soft_fail`` and callbacks treat them as Airflow's own.
Those that a retry would make worse (outcome unknown, delivery, incomplete batch) or
can't change (a tie, a deadline, a rejection, a portal without anonymous polls) also derive from
AirflowFailException: Airflow fails the task at once instead of posting a second time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

#: What to do when an application has no usable refresh token.
_LOG_IN = (
    "Authorise the application again: airflow bitrix24 login (before Airflow 3.2: "
    "python -m airflow_provider_b24.login)."
)


def encodable_text(text: str) -> str:
    """Return a text that a log, a report and a database take: half a surrogate pair in it is escaped.

    :param text: any text.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class Outcome(StrEnum):
    """Whether the portal executed a call that failed."""

    NOT_EXECUTED = "not executed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Bitrix24Error(AirflowException):
    """Anything that went wrong between Airflow and Bitrix24.

    :param message: what happened; made from the other fields when empty.
    :param method: the REST method, for example ``vote.AttachedVote.get``.
    :param code: the portal's own error code, verbatim.
    :param description: the portal's own text; it may be in the portal's language.
    :param status: the HTTP status.
    :param attempts: how many requests were made for the call.
    :param outcome: whether the portal executed the call.
    :param conn_id: the Airflow connection in use.
    :param may_have_executed: whether one of the attempts may have been executed, the last one or another.
    :param advice: what to do next; each type has its own.
    """

    advice: str = ""
    #: Whether the failure passes without a person: True when it does, False when a person must act first,
    #: None when the outcome decides.
    transient: ClassVar[bool | None] = None
    #: Whether every call through the connection would fail in the same way now.
    connection_wide: ClassVar[bool] = False
    # An error that was written down by another version of this package may lack some of these.
    message: str = ""
    method: str | None = None
    code: str | None = None
    description: str | None = None
    status: int | None = None
    attempts: int | None = None
    outcome: Outcome | None = None
    conn_id: str | None = None
    may_have_executed: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        method: str | None = None,
        code: str | None = None,
        description: str | None = None,
        status: int | None = None,
        attempts: int | None = None,
        outcome: Outcome | str | None = None,
        conn_id: str | None = None,
        may_have_executed: bool = False,
        advice: str | None = None,
    ) -> None:
        self.message = encodable_text(message)
        super().__init__(self.message)
        self.method = method
        self.code = code and encodable_text(code)
        self.description = description and encodable_text(description)
        self.status = status
        self.attempts = attempts
        self.outcome = Outcome(outcome) if outcome else None
        self.conn_id = conn_id
        self.may_have_executed = may_have_executed
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        """Say what failed, why, what became of it, and what to do next."""
        head = self.message or self._what()
        facts = f" ({', '.join(self._facts())})" if self._facts() else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{head}{facts}.{advice}" if not head.endswith(".") else f"{head[:-1]}{facts}.{advice}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep every field when the error is pickled for another process."""
        return _restore, (type(self), dict(self.__dict__))

    def __repr__(self) -> str:
        """Show the type and the whole text."""
        return f"{type(self).__name__}({str(self)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON values, so that a trigger can hand it to its task."""
        outcome = str(self.outcome) if self.outcome else None
        fields = {name: value for name, value in vars(self).items() if name != "__notes__"}
        return {"type": type(self).__name__, "advice": self.advice, **fields, "outcome": outcome}

    def _what(self) -> str:
        why = ": ".join(part for part in (self.code, self.description) if part) or "no further details"
        return f"{self.method or 'The call'} failed: {why.rstrip('.')}"

    def _facts(self) -> list[str]:
        facts = []
        if self.conn_id:
            facts.append(f"connection {self.conn_id!r}")
        if self.status:
            facts.append(f"HTTP {self.status}")
        if self.attempts:
            facts.append(f"attempt {self.attempts}")
        if self.outcome:
            facts.append(f"outcome: {self.outcome}")
        return facts


def _restore(cls: type[Bitrix24Error], state: dict[str, Any]) -> Bitrix24Error:
    error = cls.__new__(cls)
    error.args = (state.get("message", ""),)
    error.__dict__.update(state)
    return error


def error_from_dict(data: dict[str, Any]) -> Bitrix24Error:
    """Return the error that ``to_dict`` described, in its own type."""
    state = {name: value for name, value in data.items() if name != "type"}
    state["outcome"] = Outcome(state["outcome"]) if state.get("outcome") else None
    return _restore(_subclasses(Bitrix24Error).get(str(data.get("type")), Bitrix24Error), state)


def _subclasses(cls: type[Bitrix24Error]) -> dict[str, type[Bitrix24Error]]:
    found = {cls.__name__: cls}
    for child in cls.__subclasses__():
        found |= _subclasses(child)
    return found


class Bitrix24ValidationError(Bitrix24Error):
    """The input is not usable, and nothing was sent.

    :param path: where in the input, for example ``messages[3].message``.
    :param rule: what it has to be, for example ``needs text or files``.
    """

    transient = False

    def __init__(self, path: str, rule: str, **fields: Any) -> None:
        super().__init__(f"{path}: {rule}" if path else rule, **fields)
        self.path = encodable_text(path)
        self.rule = encodable_text(rule)


class Bitrix24PushStateError(Bitrix24Error, AirflowFailException):
    """What earlier tries of a push remember can't be used, or a newer try has begun."""

    advice = "Give the task the same messages again, in the same order; or send the others with another task."


class Bitrix24ConfigurationError(Bitrix24Error):
    """The Airflow connection, or an option of the provider, can't be used as it is.

    :param field: the connection's field, or the option, to fill in or to correct.
    """

    transient = False
    connection_wide = True

    def __init__(self, message: str, *, field: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.field = field


class Bitrix24LoginError(Bitrix24ConfigurationError):
    """The application could not be authorised, and nothing was stored."""


class Bitrix24StateError(Bitrix24Error):
    """The files that the processes of a host share can't be used; nothing was sent."""

    transient = True
    connection_wide = True
    advice = "Set BITRIX24_STATE_DIR to a private directory on a local disk that this user can write to."


class Bitrix24LockTimeoutError(Bitrix24StateError):
    """Another process has held a shared lock for too long; nothing was sent."""

    advice = "If it lasts, look for a process on this host that is stopped or hangs."


class Bitrix24NoAnswerError(Bitrix24Error):
    """No usable answer came, and asking again is safe."""

    transient = True
    connection_wide = True
    advice = (
        "The call is safe to repeat: let the task retry, and look at the portal and the network if it lasts."
    )


class Bitrix24UnreachableError(Bitrix24NoAnswerError):
    """The portal could not be reached; nothing was executed."""

    advice = "Nothing was executed. Check the host, the network, the proxy and the certificate."


class Bitrix24OutcomeUnknownError(Bitrix24Error, AirflowFailException):
    """The portal may or may not have executed the call, and a repeat could do it twice."""

    advice = "Look in Bitrix24 whether it took effect; clear the task only if it did not."


class Bitrix24ApiError(Bitrix24Error):
    """The portal answered with an error."""


class Bitrix24AuthError(Bitrix24ApiError):
    """The portal does not accept the credentials."""

    transient = False
    connection_wide = True
    advice = "Check login and password of the connection; the webhook may have been deleted or renewed."


class Bitrix24ExpiredTokenError(Bitrix24AuthError):
    """The access token has expired and could not be refreshed."""

    advice = f"There is no refresh_token to refresh it with. {_LOG_IN}"


class Bitrix24TokenRefreshError(Bitrix24AuthError):
    """The OAuth server does not accept the refresh token or the application."""

    advice = f"{_LOG_IN} It replaces the tokens that are stored."


class Bitrix24AuthTypeError(Bitrix24AuthError):
    """The method refuses webhooks: it needs an OAuth application."""

    advice = (
        "Use a connection with an OAuth application: login = client_id, password = client_secret, "
        "extra = refresh_token."
    )


class Bitrix24AccessDeniedError(Bitrix24ApiError):
    """The user behind the connection may not do this."""

    advice = "Check that the connection's user may do this, and that the portal's plan includes REST."


class Bitrix24ScopeError(Bitrix24AccessDeniedError):
    """The webhook or the application lacks a scope."""

    connection_wide = True
    advice = "Add the scope that the method needs (vote, im or imopenlines) to the webhook or application."


class Bitrix24PlanError(Bitrix24AccessDeniedError):
    """The portal's plan does not include this."""

    advice = "Ask the portal's administrator for a plan that includes it; hook.call('feature.get') says."


class Bitrix24ChatAccessError(Bitrix24AccessDeniedError):
    """The user behind the connection may not see this chat, or may not write in it."""

    advice = "Add the connection's user to the chat."


class Bitrix24PollAccessError(Bitrix24AccessDeniedError):
    """The user behind the connection may not see this poll."""

    advice = "Add the connection's user to the chat that the poll is in, or use the connection of a member."


class Bitrix24NotFoundError(Bitrix24ApiError):
    """What the call names does not exist, or is hidden from the connection's user."""


class Bitrix24MethodNotFoundError(Bitrix24NotFoundError):
    """The portal has no such REST method."""

    connection_wide = True
    advice = "Check the method's spelling, and that the module is installed on the portal."


class Bitrix24PollNotFoundError(Bitrix24NotFoundError):
    """There is no such poll: its message was deleted, or the id names something else."""

    advice = "Name the poll by its message id (not by vote_id), and check that the message still exists."


class Bitrix24ChatNotFoundError(Bitrix24NotFoundError):
    """There is no such chat."""

    advice = "Pass the chat's number (the N of chatN); hook.chats.find(title) looks it up."


class Bitrix24ArgumentError(Bitrix24ApiError):
    """The portal finds a parameter missing or wrong."""

    advice = "Compare the parameters with the method's page in Bitrix24's REST documentation."


class Bitrix24LimitError(Bitrix24ApiError):
    """One of Bitrix24's limits stopped the call; nothing was executed."""

    connection_wide = True


class Bitrix24RateLimitError(Bitrix24LimitError):
    """The portal gets more requests from this address than it allows."""

    transient = True
    advice = "Nothing was executed. Lower the number of parallel tasks, or use a batch."


class Bitrix24OperatingLimitError(Bitrix24LimitError):
    """The method has used up the running time that the portal grants in ten minutes.

    :param reset_at: when it may be called again, in Unix seconds; None when the portal did not say.
    """

    transient = True
    advice = "Nothing was executed. Retry after the time given, or else after ten minutes."
    reset_at: float | None = None

    def __init__(self, message: str = "", *, reset_at: float | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.reset_at = reset_at

    def _facts(self) -> list[str]:
        facts = super()._facts()
        return [*facts, f"allowed again at {self.reset_at:.0f} (Unix time)"] if self.reset_at else facts


class Bitrix24OverloadError(Bitrix24LimitError):
    """The portal's REST API is blocked by hand."""

    transient = False
    advice = "Only Bitrix24's support can lift this block."


class Bitrix24ServerError(Bitrix24ApiError):
    """The portal broke while it answered."""

    transient = True
    advice = "Try again later; write to Bitrix24's support if it lasts."


class Bitrix24PortalError(Bitrix24ApiError):
    """The portal is deleted or closed."""

    transient = False
    connection_wide = True


class Bitrix24PortalMovedError(Bitrix24PortalError):
    """The portal answers with a redirect, which is never followed because it would carry the secret along.

    :param location: the new scheme and host.
    """

    def __init__(self, message: str = "", *, location: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.location = location


class Bitrix24HttpsRequiredError(Bitrix24PortalError):
    """The portal takes no calls over plain http."""

    advice = "Correct the connection's address: write the host, or the webhook's address, with https://."


class Bitrix24ListIncompleteError(Bitrix24ApiError):
    """A list method gave fewer rows than it says there are."""

    advice = (
        "Do not take what came for the whole list. Rows that were deleted meanwhile explain a small "
        "difference: read again. A method that pages by parameters of its own needs hook.call."
    )


class Bitrix24BatchError(Bitrix24ApiError):
    """The batch, or a command's place in it, is refused."""

    connection_wide = True


class Bitrix24BatchIncompleteError(Bitrix24BatchError, AirflowFailException):
    """Some commands of a batch failed, and a retry would run the others again."""


class Bitrix24PollError(Bitrix24ApiError):
    """A poll can't be created, read, voted in or changed in this way."""


class Bitrix24PollRejectedError(Bitrix24PollError):
    """The portal would not create the poll."""

    advice = "Check the poll's texts, and that the connection's user may post polls in the chat."


class Bitrix24AnonymityError(Bitrix24PollError, AirflowFailException):
    """The portal would show, or may show, who votes in an anonymous poll."""

    advice = (
        "Run python -m airflow_provider_b24.conformance: it shows which ANONYMITY hides who voted on this "
        "portal. Set the connection's extra anonymous_value to that number."
    )


class Bitrix24PollFinishedError(Bitrix24PollError):
    """The poll is stopped, so no vote can be cast or recalled."""

    advice = "Resume the poll first, as the user who sent it."


class Bitrix24AlreadyVotedError(Bitrix24PollError):
    """The connection's user has voted already, and the poll takes no second vote."""

    advice = "Send the poll with allow_revote=True if votes may change."


class Bitrix24RecallNotAllowedError(Bitrix24PollError):
    """The vote can't be recalled because the poll does not allow voting again."""

    advice = "Send the poll with allow_revote=True if votes may change."


class Bitrix24BallotRejectedError(Bitrix24PollError):
    """The portal took none of the ballot's answers."""


class Bitrix24PollUndecidedError(Bitrix24PollError):
    """The poll ended in a way that the rule can no longer be met."""


class Bitrix24PollTiedError(Bitrix24PollUndecidedError, AirflowFailException):
    """Several answers have the most votes, and the task does not say which one wins."""

    advice = "Say what a tie means: tie='first', or tie= one of the answers."


class Bitrix24PollTimeoutError(Bitrix24PollError, AirflowFailException):
    """The deadline passed before the poll was decided, and there is no default answer."""

    advice = "Give defaults=, set skip_on_timeout=True, or ask with a later deadline."


class Bitrix24PollDisapprovedError(Bitrix24PollError, AirflowFailException):
    """People rejected what was to be approved, and the task fails on that (``fail_on_reject``)."""


class Bitrix24MessageError(Bitrix24ApiError):
    """A chat message is refused."""


class Bitrix24OpenLineError(Bitrix24ApiError):
    """An open line, its connector or its CRM chat refuses the call."""


class Bitrix24LineNotActiveError(Bitrix24OpenLineError):
    """The open line is switched off, or there is none with this id."""

    advice = "Check the line's id and that it is active (Contact center > Open channels)."


class Bitrix24LineNotFoundError(Bitrix24OpenLineError):
    """No open line has this number or name, or several have the name."""

    advice = "Name the line by its number; hook.open_lines.lines() lists them."


class Bitrix24ConnectorError(Bitrix24OpenLineError):
    """The connector is unknown to the portal, not set up on the line, or refused."""

    advice = "Register the connector with the same application and activate it on the line."


class Bitrix24CrmChatError(Bitrix24OpenLineError):
    """The CRM item has no such open-line chat."""

    advice = "Check that an open-line conversation is tied to the CRM item, or pass its chat_id."


class Bitrix24DeliveryError(Bitrix24OpenLineError, AirflowFailException):
    """Some messages were not delivered for certain, and a retry would send the others twice.

    :param report: what became of each message, as ``DeliveryReport.to_dict()`` gives it.
    """

    advice = "Correct what the report names and send those messages alone; the others are delivered."

    def __init__(self, message: str, *, report: dict[str, Any], **fields: Any) -> None:
        if not report.get("accepted"):
            fields.setdefault("advice", "Correct what the report names and send those messages alone.")
        super().__init__(message, **fields)
        self.report = report


class Bitrix24PushIncompleteError(Bitrix24OpenLineError):
    """A push has stopped before its end, and a retry sends the rest, because what was delivered is noted.

    :param report: what became of each message so far.
    """

    transient = True
    advice = "Let the task retry: it sends the rest, and what is delivered is not sent again."

    def __init__(self, message: str, *, report: dict[str, Any], **fields: Any) -> None:
        super().__init__(message, **fields)
        self.report = report
