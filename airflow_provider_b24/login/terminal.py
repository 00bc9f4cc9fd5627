"""The person at the terminal, or the program on the other end of a pipe."""

from __future__ import annotations

import getpass
import sys

from airflow_provider_b24.exceptions import Bitrix24LoginError


class Terminal:
    """Says and asks things on the standard streams."""

    def say(self, text: str) -> None:
        """Write a line."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty()

    def ask(self, question: str) -> str:
        """Return the next line of the standard input.

        :raises Bitrix24LoginError: the input has ended.
        """
        sys.stdout.write(question)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise Bitrix24LoginError(
                "The input ended without an answer",
                advice="Run the command in a terminal, or pipe the answer.",
            )
        return line.strip()

    def ask_secret(self, question: str) -> str:
        """Return what a person types; it is not shown.

        :raises Bitrix24LoginError: nobody can be asked.
        """
        try:
            return getpass.getpass(question).strip()
        except EOFError:
            raise Bitrix24LoginError("The input ended without an answer") from None
