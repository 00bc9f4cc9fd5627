"""What a batch does with its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_b24.conformance.answers import as_object, code_in, kind_of
from airflow_provider_b24.conformance.probe import probe
from airflow_provider_b24.conformance.unanswered import CouldNotTellError

if TYPE_CHECKING:
    from airflow_provider_b24.conformance.trial import Trial

_UNKNOWN = "airflow.conformance.no.such.method"
_LIMIT = 50
_FORMS = ("$result", "$RESULT", "$results", "$result-")


@probe(
    "batch.keys",
    "Results of a batch with text keys",
    "objects by key, [] where there is none",
    depends="which command a result or an error belongs to",
    otherwise="Lists and objects are both read; the keys must be there.",
)
def keys(trial: Trial) -> str:
    """Run a command that succeeds and one that fails."""
    parts = _run(trial, {"good": "server.time", "bad": _UNKNOWN})
    named = "good" in as_object(parts.get("result")) and "bad" in as_object(parts.get("result_error"))
    empty = parts.get("result_total")
    return f"{'objects by key' if named else 'no keys'}, {kind_of(empty)} where there is none"


@probe(
    "batch.limit",
    "A batch of 51 commands",
    "50 run, then ERROR_BATCH_LENGTH_EXCEEDED",
    depends="50 commands a request",
    otherwise="The provider never sends more than 50.",
)
def limit(trial: Trial) -> str:
    """Run one command more than a batch takes."""
    parts = _run(trial, {f"c{number}": "server.time" for number in range(_LIMIT + 1)})
    done, failed = as_object(parts.get("result")), as_object(parts.get("result_error"))
    return f"{len(done)} run, then {code_in(failed.get(f'c{_LIMIT}')) if failed else 'no error'}"


@probe(
    "batch.not_text",
    "A command that is not text",
    "skipped in silence",
    depends="commands are written as text",
    otherwise="Nothing changes: the provider sends none.",
)
def not_text(trial: Trial) -> str:
    """Run a command that is an object."""
    parts = _run(trial, {"good": "server.time", "odd": {"method": "server.time"}})
    if "odd" in as_object(parts.get("result_error")):
        return "refused"
    return "executed" if "odd" in as_object(parts.get("result")) else "skipped in silence"


@probe(
    "batch.halt",
    "halt=1 after a command that fails",
    "the next one is not run",
    depends="nothing: the provider sends halt=0",
    otherwise="Nothing changes.",
)
def halt(trial: Trial) -> str:
    """Run a command that fails, and another."""
    parts = _run(trial, {"bad": _UNKNOWN, "good": "server.time"}, halt=1)
    return "the next one is run" if "good" in as_object(parts.get("result")) else "the next one is not run"


@probe(
    "batch.no_halt",
    "halt=0 after a command that fails",
    "the next one is run",
    depends="one command that fails hides no other",
    otherwise="Commands without result or error are retried where that is safe, and else fail.",
)
def no_halt(trial: Trial) -> str:
    """Run a command that fails, and another."""
    parts = _run(trial, {"bad": _UNKNOWN, "good": "server.time"})
    return "the next one is run" if "good" in as_object(parts.get("result")) else "the next one is not run"


@probe(
    "batch.nested",
    "A batch inside a batch",
    "ERROR_BATCH_METHOD_NOT_ALLOWED",
    depends="Bitrix24BatchError",
    otherwise="Nothing changes: the provider sends none.",
)
def nested(trial: Trial) -> str:
    """Run a batch as a command."""
    failed = as_object(_run(trial, {"inner": "batch?cmd[a]=server.time"}).get("result_error"))
    return code_in(failed.get("inner")) if failed else "executed"


@probe(
    "batch.reference",
    "$result[key][field] as a whole value",
    "replaced",
    depends="texts with such a reference are sent as single calls",
    otherwise="Nothing changes: a single call is right on every portal.",
)
def reference(trial: Trial) -> str:
    """Name a chat by the reply to an earlier command."""
    return "replaced" if _is_replaced(trial, "$result[c][dialog_id]") else "left as it is"


@probe(
    "batch.reference_in_text",
    "$result[key][field] inside a text, and odd forms of it",
    "replaced: $result $RESULT $results $result-",
    depends="which texts can't travel in a batch",
    otherwise="Nothing changes: a single call is right on every portal.",
)
def reference_in_text(trial: Trial) -> str:
    """Name a chat by a text with a reference in it."""
    forms = [form for form in _FORMS if _is_replaced(trial, f"chat{form}[c][id]")]
    return f"replaced: {' '.join(forms)}" if forms else "left as it is"


def _is_replaced(trial: Trial, dialog: str) -> bool:
    get = "im.dialog.get?DIALOG_ID="
    done = as_object(_run(trial, {"c": f"{get}{trial.dialog}", "again": f"{get}{dialog}"}).get("result"))
    if "c" not in done:
        raise CouldNotTellError("the chat could not be read")
    return as_object(done.get("again")).get("id") == as_object(done["c"]).get("id")


def _run(trial: Trial, commands: dict[str, Any], *, halt: int = 0) -> dict[str, Any]:
    answer = trial.ask("batch", {"halt": halt, "cmd": commands})
    parts = as_object(answer.result)
    if "result" not in parts:
        raise CouldNotTellError(f"a batch could not be run: {answer}")
    return parts
