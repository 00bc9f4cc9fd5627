"""Push messages into open lines and into the chats of CRM items."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_b24.assets.bitrix24 import describe_outlets
from airflow_provider_b24.exceptions import (
    Bitrix24DeliveryError,
    Bitrix24Error,
    Bitrix24PushIncompleteError,
    Bitrix24ValidationError,
    Outcome,
)
from airflow_provider_b24.field_values import (
    as_items,
    as_mapping,
    as_path,
    as_texts,
    check_text,
    one_of,
    optional,
)
from airflow_provider_b24.ids import parse_id
from airflow_provider_b24.operators.base import Bitrix24BaseOperator, keep_result
from airflow_provider_b24.operators.connectors import (
    Bitrix24GetSessionHistoryOperator,
    Bitrix24MarkDeliveredOperator,
    Bitrix24MarkReadOperator,
    Bitrix24SetUpConnectorOperator,
)
from airflow_provider_b24.operators.crm import Bitrix24SendCrmChatMessageOperator
from airflow_provider_b24.operators.push_memory import check_threshold, exceeds, push_journal, task_run
from airflow_provider_b24.utils.text_files import parse_delimiter, parse_encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_b24.field_values import Check, Templated
    from airflow_provider_b24.open_lines.api import PushResult
    from airflow_provider_b24.open_lines.pushing.journal import Journal
    from airflow_provider_b24.open_lines.pushing.source import Source
    from airflow_provider_b24.open_lines.report import DeliveryReport, PushSummary

__all__ = [
    "Bitrix24DeleteConnectorMessagesOperator",
    "Bitrix24GetSessionHistoryOperator",
    "Bitrix24MarkDeliveredOperator",
    "Bitrix24MarkReadOperator",
    "Bitrix24SendConnectorMessagesOperator",
    "Bitrix24SendCrmChatMessageOperator",
    "Bitrix24SetUpConnectorOperator",
    "Bitrix24UpdateConnectorMessagesOperator",
]

#: Messages that the task's log names.
_MAX_LOGGED = 20


def _messages(value: Any, path: str) -> Any:
    # A date is a number of its own.
    return as_texts(as_items(value, path), but=("date",))


_TARGET_CHECKS: Mapping[str, Check] = {
    **Bitrix24BaseOperator.field_checks,
    "connector": check_text,
    "line": parse_id,
}


class _ConnectorMessagesOperator(Bitrix24BaseOperator):
    """An operator on the messages of one connector on one open line."""

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "connector",
        "line",
        "messages",
        "if_undelivered",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **_TARGET_CHECKS,
        "messages": _messages,
        "if_undelivered": one_of("fail", "report"),
    }
    text_fields = Bitrix24BaseOperator.text_fields | {"connector", "messages"}

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int],
        messages: Templated[Sequence[Mapping[str, Any] | XComArg]],
        if_undelivered: Templated[str] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector: Any = connector
        self.line: Any = line
        self.messages: Any = messages
        self.if_undelivered: Any = if_undelivered

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the open line and return the report."""
        fields = self.check_fields()
        report = self._deliver(**{name: fields[name] for name in ("connector", "line", "messages")})
        for item in report.items:
            if item.errors:
                self.log.warning("Message %s: %s: %s", item.message_id, item.status, "; ".join(item.errors))
        if fields["if_undelivered"] == "fail" and report.accepted < len(report.items):
            self._fail(context, report)
        return report.to_dict()

    @abstractmethod
    def _deliver(self, **arguments: Any) -> DeliveryReport:
        """Send, change or delete the messages."""

    def _fail(self, context: Context, report: DeliveryReport) -> None:
        keep_result(context, report.to_dict())
        raise Bitrix24DeliveryError(
            f"Not all messages are delivered: {report}; the report is in XCom",
            report=report.to_dict(),
            conn_id=self.bitrix24_conn_id,
        )


class Bitrix24SendConnectorMessagesOperator(Bitrix24BaseOperator):
    """Push messages from an outside system into an open line, with a report on each.

    The connection must be an OAuth application, the one that registered the connector. Messages come from a
    list or from a file of any size, which is read line by line. A message that breaks a rule is reported, and
    the others are sent. What is delivered is recorded as it goes, so that a retry sends only the rest: in
    Airflow's task state store (3.3), or else next to the report. After a lost reply, chats are read.

    Method: ``imconnector.send.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-send-messages.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: ``{"user": …, "message": …, "chat": …}`` each, as the method's page shows them
        (templated).
    :param path: a file with the messages instead: JSON Lines, or CSV with a mapping; a local path or an
        object storage URL (templated).
    :param mapping: for CSV, the fields of a message to the names of the columns, for example
        ``{"user.id": "customer", "message.id": "id", "message.text": "text", "chat.id": "order"}``
        (templated).
    :param delimiter: what separates the columns of CSV: one character, or the two characters ``\\t`` for a
        tab (templated).
    :param encoding: the encoding of the file, such as ``cp1251``; UTF-8 may begin with a byte order mark
        (templated).
    :param report_path: where the report is written as JSON Lines, a line a message; a local path or an object
        storage URL; before Airflow 3.3, ``<report_path>.<digest of the task run>.journal`` next to it is for
        retries (templated).
    :param if_invalid: ``report`` a message that breaks a rule and send the others, or ``fail`` before
        anything is sent (templated).
    :param if_undelivered: ``fail`` the task when more messages than ``max_undelivered`` are not accepted, or
        ``report`` them only (templated).
    :param max_undelivered: how many messages may be rejected or unknown: a number, or a share of all as a
        float, 0.01 (templated).
    :param redelivery: what is done with a message when the portal does not show whether it arrived:
        ``at_most_once`` reports it as *unknown*, ``at_least_once`` sends it again (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: ``{"accepted": int, "rejected": int, "unknown": int, "items": [{"message_id", "status",
        "errors", "chat_id", "session_id"}], "truncated": bool, "report_path"}``; of more than 1,000 messages
        ``items`` are the first 100 that are not accepted. It is in XCom also when the task fails.
    :raises Bitrix24ValidationError: when a message is not usable and ``if_invalid`` is ``fail``.
    :raises Bitrix24DeliveryError: when too many are not accepted.
    :raises Bitrix24PushIncompleteError: when the push has stopped and a retry sends the rest.
    :raises Bitrix24PushStateError: when the messages are not those of an earlier try, or what it recorded
        can't be read.
    :raises Bitrix24OutcomeUnknownError: for a retry that finds no record of an earlier try.
    """

    template_fields: Sequence[str] = (
        "bitrix24_conn_id",
        "connector",
        "line",
        "messages",
        "path",
        "mapping",
        "delimiter",
        "encoding",
        "report_path",
        "if_invalid",
        "if_undelivered",
        "max_undelivered",
        "redelivery",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json", "mapping": "json"}
    field_checks: ClassVar[Mapping[str, Check]] = {
        **_TARGET_CHECKS,
        "messages": optional(_messages),
        "path": optional(as_path),
        "mapping": optional(as_mapping),
        "delimiter": parse_delimiter,
        "encoding": parse_encoding,
        "report_path": optional(as_path),
        "if_invalid": one_of("report", "fail"),
        "if_undelivered": one_of("fail", "report"),
        "max_undelivered": check_threshold,
        "redelivery": one_of("at_most_once", "at_least_once"),
    }
    text_fields = Bitrix24BaseOperator.text_fields | {
        "connector",
        "messages",
        "path",
        "mapping",
        "delimiter",
        "encoding",
        "report_path",
    }

    def __init__(
        self,
        *,
        connector: Templated[str],
        line: Templated[int],
        messages: Templated[Sequence[Mapping[str, Any] | XComArg]] | None = None,
        path: Templated[str] | None = None,
        mapping: Templated[Mapping[str, str]] | None = None,
        delimiter: Templated[str] = ",",
        encoding: Templated[str] = "utf-8",
        report_path: Templated[str] | None = None,
        if_invalid: Templated[str] = "report",
        if_undelivered: Templated[str] = "fail",
        max_undelivered: Templated[float] = 0,
        redelivery: Templated[str] = "at_most_once",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector: Any = connector
        self.line: Any = line
        self.messages: Any = messages
        self.path: Any = path
        self.mapping: Any = mapping
        self.delimiter: Any = delimiter
        self.encoding: Any = encoding
        self.report_path: Any = report_path
        self.if_invalid: Any = if_invalid
        self.if_undelivered: Any = if_undelivered
        self.max_undelivered: Any = max_undelivered
        self.redelivery: Any = redelivery

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Refuse messages that do not come from exactly one place.

        :param values: the fields that are known by now.
        """
        # What is not known yet is given.
        is_given = [values.get(name, ...) is not None for name in ("messages", "path")]
        if is_given[0] == is_given[1]:
            raise Bitrix24ValidationError("messages", "give either messages or path")

    def execute(self, context: Context) -> dict[str, Any]:
        """Push the messages and return the report."""
        journal = self._journal(context)
        try:
            fields = self.check_fields()
            result = self._pushed(context, fields, journal)
        finally:
            if journal is not None:
                journal.close()
        report_path = fields["report_path"]
        self._log(result.summary)
        found = {**result.summary.to_dict(), "report_path": report_path}
        if result.error is not None and journal is not None and _is_worth_a_retry(result.error):
            self._fail(context, found, result.summary, Bitrix24PushIncompleteError, "The push has stopped")
        counts = {"undelivered": result.summary.undelivered, "total": result.summary.total}
        if fields["if_undelivered"] == "fail" and exceeds(fields["max_undelivered"], **counts):
            self._fail(
                context, found, result.summary, Bitrix24DeliveryError, "Not all messages are delivered"
            )
        describe_outlets(context, self, found)
        return found

    def _journal(self, context: Context) -> Journal | None:
        """Return the journal, which has begun before anything can fail: a retry must know of this try."""
        from airflow_provider_b24.open_lines.pushing.report_file import ReportFile

        try:
            portal = self.hook.settings.portal
        except Bitrix24Error:
            # The push will say so.
            portal = ""
        target = (portal, str(self.connector).strip().lower(), str(self.line).strip())
        report_path = None if self.report_path is None else str(self.report_path)
        try:
            return push_journal(
                context, target=target, report_path=report_path, redelivery=str(self.redelivery)
            )
        except OSError:
            # The journal is next to the report, whose own error says what is wrong there.
            with ReportFile(report_path):
                raise

    def _pushed(self, context: Context, fields: Mapping[str, Any], journal: Journal | None) -> PushResult:
        """Push the messages, and write the report."""
        from airflow_provider_b24.open_lines.pushing.report_file import ReportFile, check_report_path

        check_report_path(fields["report_path"], source=fields["path"])
        push = self._prepared(context, fields)
        with ReportFile(fields["report_path"]) as report:
            try:
                result = push(take=report.add, journal=journal)
            except Bitrix24ValidationError:
                report.publish()
                raise
            report.publish()
        return result

    def _prepared(self, context: Context, fields: Mapping[str, Any]) -> Callable[..., PushResult]:
        """Return the push of the messages, checked as far as it can be."""
        from airflow_provider_b24.open_lines.pushing.push import PushOptions

        options = PushOptions(
            if_invalid=fields["if_invalid"], redelivery=fields["redelivery"], run=task_run(context).run
        )
        target = {"connector": fields["connector"], "line": fields["line"]}
        return partial(self.hook.open_lines.push, **target, source=_source(fields), options=options)

    def _log(self, summary: PushSummary) -> None:
        bad = [item for item in summary.items if item.errors]
        for item in bad[:_MAX_LOGGED]:
            self.log.warning("Message %s: %s: %s", item.message_id, item.status, "; ".join(item.errors))
        if summary.undelivered > _MAX_LOGGED:
            self.log.warning("%d messages are not delivered; the report names them", summary.undelivered)

    def _fail(
        self, context: Context, found: dict[str, Any], summary: PushSummary, kind: type[Any], what: str
    ) -> NoReturn:
        keep_result(context, found)
        raise kind(f"{what}: {summary}; the report is in XCom", report=found, conn_id=self.bitrix24_conn_id)


def _source(fields: Mapping[str, Any]) -> Source:
    from airflow_provider_b24.open_lines.pushing.source import ListSource, file_source

    if fields["path"] is None:
        return ListSource(fields["messages"])
    options = {name: fields[name] for name in ("mapping", "delimiter", "encoding")}
    return file_source(fields["path"], **options)


def _is_worth_a_retry(error: Bitrix24Error) -> bool:
    """Say whether another try may send the rest."""
    return error.transient is True or error.outcome is Outcome.UNKNOWN


class Bitrix24UpdateConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Change messages that were pushed before, found by their ids.

    Method: ``imconnector.update.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-update-messages.html).
    The portal reports success for ids that it doesn't know, too.

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: as they were sent, with their new text or files (templated).
    :param if_undelivered: ``fail`` the task when a change is not accepted, or ``report`` it only
        (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self, **arguments: Any) -> DeliveryReport:
        return self.hook.open_lines.update(**arguments)


class Bitrix24DeleteConnectorMessagesOperator(_ConnectorMessagesOperator):
    """Delete messages that were pushed before, found by their ids.

    Method: ``imconnector.delete.messages``
    (https://apidocs.bitrix24.com/api-reference/imopenlines/imconnector/imconnector-delete-messages.html).

    :param connector: the id under which the connector is registered (templated).
    :param line: the open line's number (templated).
    :param messages: the ids of user, message and chat are enough (templated).
    :param if_undelivered: ``fail`` the task when a deletion is not accepted, or ``report`` it only
        (templated).
    :param bitrix24_conn_id: the Airflow connection (templated).
    :returns: the report, as the send operator gives it.
    """

    def _deliver(self, **arguments: Any) -> DeliveryReport:
        return self.hook.open_lines.delete(**arguments)
