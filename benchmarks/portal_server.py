"""``python -m benchmarks.portal_server``: the emulated portal in its own process.

The emulator's command line offers neither TLS nor a way to expire a token; this offers both. It prints
its addresses as one line of JSON, reads one command a line, and ends at the end of its input.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

from airflow_provider_b24.emulator import Emulator


def main() -> int:
    """Serve until the input ends."""
    options = _options()
    # Ctrl-C reaches the whole process group; the parent stops this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    emulator = Emulator(
        port=options.port, plan=options.plan, certfile=options.certfile, keyfile=options.keyfile
    )
    if options.plan == "none":
        emulator.limits.off()
    with emulator:
        _print(_addresses(emulator))
        for line in sys.stdin:
            _print(_run_command(emulator, *line.split()))
    return 0


def _run_command(emulator: Emulator, command: str, number: str = "0") -> Any:
    if command == "expire":
        emulator.expire_access_token()
    elif command == "scale":
        emulator.limits.bucket.rate *= int(number)
        emulator.limits.operating.enabled = False
    elif command == "connector":
        line = next(iter(emulator.lines)).id
        emulator.lines.install_connector(number, line)
        return line
    elif command == "polls":
        return _make_polls(emulator, int(number))
    elif command == "down":
        emulator.stop()
    elif command == "up":
        emulator.start()
    elif command == "evidence":
        return _evidence(emulator)
    elif command == "delete":
        emulator.portal.chats.delete(emulator.portal.chats.message(int(number)))
    elif command == "counts":
        return _counts(emulator)
    return "done"


def _make_polls(emulator: Emulator, count: int) -> list[int]:
    """Post polls without a request; return their message ids."""
    portal = emulator.portal
    chat = emulator.chat(emulator.add_chat("Waiting", members=[1, 2, 3]))
    made = []
    for number in range(count):
        text = f"Shall we deploy number {number}?"
        question = portal.polls.new_question(text, [("Yes, today", ""), ("No", ""), ("Next week", "")])
        poll = portal.polls.save(1, [question])
        message = portal.chats.post(chat, author_id=1, text=text)
        portal.polls.attach(poll, message.id, chat_id=chat.id)
        made.append(message.id)
    return made


def _counts(emulator: Emulator) -> dict[str, int]:
    """Return counts of the requests; the journal itself would be large."""
    return {
        "requests": emulator.requests.count(),
        "refused": sum(request.status == 503 for request in emulator.requests),
        "lists": emulator.requests.count_commands("vote.AttachedVote.getMany"),
        "singles": emulator.requests.count_commands("vote.AttachedVote.get"),
    }


def _evidence(emulator: Emulator) -> dict[str, Any]:
    """Return what an audit needs; the whole state would be large."""
    polls = [_asked(emulator, poll) for poll in emulator.portal.polls]
    delivered = [
        message.params["CONNECTOR_MID"][0]
        for chat in emulator.portal.chats
        for message in chat.messages
        if chat.kind == "lines" and message.params.get("CONNECTOR_MID")
    ]
    application = emulator.application
    return {
        "polls": polls,
        "delivered": delivered,
        "requests": emulator.requests.count(),
        "refused": sum(request.status == 503 for request in emulator.requests),
        "refreshes": sum(request.method == "oauth.token" for request in emulator.requests),
        "faults": sum(bool(request.fault) for request in emulator.requests),
        "tokens": [application.access_token, application.refresh_token],
    }


def _asked(emulator: Emulator, poll: Any) -> dict[str, Any]:
    question = next(iter(poll.questions.values()))
    finished = poll.is_finished(emulator.portal.clock())
    return {"message_id": poll.entity_id, "text": question.text, "is_finished": finished}


def _addresses(emulator: Emulator) -> dict[str, Any]:
    return {
        "url": emulator.url,
        "webhook_url": emulator.webhook_url,
        "webhook": emulator.connection("webhook"),
        "oauth": emulator.connection("oauth"),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portal_server", description=__doc__)
    parser.add_argument("--plan", default="standard")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--certfile")
    parser.add_argument("--keyfile")
    return parser.parse_args()


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
