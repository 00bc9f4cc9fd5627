"""Secrets, and texts and log records from which they are redacted."""

from __future__ import annotations

import logging
import threading
import traceback
from urllib.parse import quote

from airflow_provider_b24.utils.controls import without_controls

#: Shorter values would mask ordinary words, and Airflow does not mask them either.
_MIN_LENGTH = 5
_MASK = "***"
_MAX_TEXT_LENGTH = 300
_URLLIB3 = ("connection", "connectionpool", "poolmanager", "response", "util", "util.retry")


class Secret:
    """A value that is shown as ``***``.

    Frames, dataclasses and exceptions that hold it print ``***``.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    __str__ = __repr__


class SecretRegistry(logging.Filter):
    """The secrets that this process uses; it redacts them from texts and log records."""

    def __init__(self) -> None:
        super().__init__()
        self._values: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def add(self, *secrets: Secret | None) -> None:
        """Remember secrets, in plain and in URL-quoted form."""
        plain = {secret.reveal() for secret in secrets if secret}
        forms = {
            form for value in plain for form in (value, quote(value, safe="")) if len(form) >= _MIN_LENGTH
        }
        if forms.issubset(self._values):
            return
        with self._lock:
            # Longest first, or a secret that contains another would be masked in part.
            self._values = tuple(sorted(forms.union(self._values), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return the text with each secret replaced."""
        for value in self._values:
            if value in text:
                text = text.replace(value, _MASK)
        return text

    def redact_and_truncate(self, text: str) -> str:
        """Return the beginning of a text from outside: without secrets and without control characters.

        A secret at the cut would stay in part, and one that control characters interrupt would stay whole.
        """
        return self.redact(without_controls(self.redact(text)))[:_MAX_TEXT_LENGTH]

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a log record's message and traceback; the record itself is always kept."""
        message = record.getMessage()
        redacted = self.redact(message)
        if redacted != message:
            record.msg, record.args = redacted, None
        if record.exc_info and record.exc_info[0] is not None:
            # urllib3 logs headers that it can't parse, and they may repeat ours.
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_info, record.exc_text = None, self.redact(trace)
        return True


#: One for the process: urllib3's loggers are shared by every connection too.
REGISTRY = SecretRegistry()


def guard_loggers() -> None:
    """Redact urllib3's own log records, which hold the path of every URL."""
    for name in _URLLIB3:
        # A filter on a parent logger would not see its children's records.
        logging.getLogger(f"urllib3.{name}").addFilter(REGISTRY)


def protect(*secrets: Secret | None) -> None:
    """Register secrets here and with Airflow's own masker."""
    from airflow_provider_b24.compat import mask_secret

    REGISTRY.add(*secrets)
    for secret in secrets:
        if secret and len(secret.reveal()) >= _MIN_LENGTH:
            mask_secret(secret.reveal())
