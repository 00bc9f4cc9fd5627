"""Running the probes: a row for each, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_b24.conformance.probe import Auth
from airflow_provider_b24.conformance.unanswered import CouldNotTellError, NotTriedError
from airflow_provider_b24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_b24.conformance.probe import Probe
    from airflow_provider_b24.conformance.trial import Trial


class Verdict(StrEnum):
    """What a row says."""

    HOLDS = "as held"
    DIFFERS = "differs"
    UNCLEAR = "could not tell"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Row:
    """What became of one probe.

    :param found: what this portal does, or why that is not known.
    """

    probe: Probe
    verdict: Verdict
    found: str


def run(probes: Iterable[Probe], trial: Trial, *, read_only: bool) -> Iterator[Row]:
    """Yield a row for each probe, as soon as it is known.

    :param probes: the probes.
    :param trial: the run.
    :param read_only: whether probes that write are left out.
    """
    for probe in probes:
        reason = why_not(probe, trial, read_only=read_only)
        yield Row(probe, Verdict.NOT_TRIED, reason) if reason else _look(probe, trial)


def why_not(probe: Probe, trial: Trial, *, read_only: bool) -> str:
    """Return why a probe is not tried; empty when it is.

    :param probe: the probe.
    :param trial: the run.
    :param read_only: whether probes that write are left out.
    """
    if read_only and probe.writes:
        return "needs a run without --read-only"
    has = Auth.APPLICATION if trial.is_application else Auth.WEBHOOK
    if probe.auth not in (Auth.ANY, has):
        return f"needs {probe.auth}"
    if probe.on_line and trial.line_id is None:
        return "needs --line"
    return ""


def _look(probe: Probe, trial: Trial) -> Row:
    try:
        found = probe.look(trial)
    except NotTriedError as reason:
        return Row(probe, Verdict.NOT_TRIED, str(reason))
    except CouldNotTellError as reason:
        return Row(probe, Verdict.UNCLEAR, str(reason))
    except Bitrix24Error as error:
        return Row(probe, Verdict.UNCLEAR, shown(error))
    except Exception as error:  # noqa: BLE001
        # A reply that no probe foresees; its text may be the portal's.
        return Row(probe, Verdict.UNCLEAR, f"the reply is of no known form ({type(error).__name__})")
    return Row(probe, Verdict.HOLDS if found in probe.holds else Verdict.DIFFERS, found)


def shown(error: Bitrix24Error) -> str:
    """Return an error in words that hold no text of the portal.

    :param error: the error.
    """
    parts = [f"HTTP {error.status}" if error.status else "", error.method or ""]
    facts = ", ".join(filter(None, parts))
    return f"{type(error).__name__}{f' ({facts})' if facts else ''}"
