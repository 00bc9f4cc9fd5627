"""``python -m demo.browser_form VENV...``: enter a connection into the web UI of several Airflow versions.

Each VENV has an Airflow and this package. Its web server runs on loopback; a headless Chromium opens the
form, reads its fields, fills it in, tests and saves the connection, and a DAG then uses it against the
emulated portal. It prints a transcript and writes pictures to ``docs/images``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from selenium.common.exceptions import TimeoutException

from demo.form_pages import USER, Form2, Form3
from demo.pictures import IMAGES, ROOT, Browser
from demo.processes import Processes
from demo.stack import airflow_environment, free_port
from demo.world import Portal

if TYPE_CHECKING:
    from collections.abc import Callable

CONN_ID = "bitrix24_form"
CHAT = 1489
SIZE = (1200, 900)
_SECRETS = {"password", "refresh_token", "access_token", "proxies"}
#: What Airflow has in its form and a Bitrix24 connection has no use for.
_UNUSED = {"schema", "url_schema"}
#: What a version shows while a person types it, although the provider asks for a password field.
_IN_CLEAR = {"3.1": {"refresh_token", "access_token", "proxies"}}
_EXPLAINED = {*_SECRETS, "host", "login", "plan", "timeout", "verify", "oauth_server"}
_WITHIN = 300.0


class FormError(Exception):
    """What the form does not do."""


def main() -> int:
    """Run the form of each version and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.browser_form", description=__doc__)
    parser.add_argument("venvs", nargs="+", type=Path, help="virtual environments with an Airflow")
    parser.add_argument("--to", type=Path, default=IMAGES, help="the folder of the pictures (docs/images)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for venv in options.venvs:
        try:
            run(venv.resolve(), options.to)
        except (FormError, RuntimeError) as error:
            print(f"{venv.name}: {error}", file=sys.stderr)
            return 1
    return 0


def run(venv: Path, images: Path) -> None:
    """Enter, test, save and use a connection in one version."""
    python = str(venv / "bin" / "python")
    version = subprocess.run(
        [python, "-c", "from importlib.metadata import version; print(version('apache-airflow'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    home, port = Path(tempfile.mkdtemp(prefix="bitrix24-form-")), free_port()
    env = airflow_environment(home=home, dags=ROOT / "demo" / "form_dags", port=port)
    env["PATH"] = f"{venv / 'bin'}:{env['PATH']}"
    processes = Processes(logs=home, env=env)
    try:
        portal = Portal(folder=home, processes=processes)
        portal.start(port=free_port(), vote_every=1.0, voters=0)
        url = start_web(version, venv, port, processes)
        say(version, f"the web UI answers at {url}")
        with Browser(images) as browser:
            browser.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False},
            )
            use_form(version, (Form2 if version.startswith("2.") else Form3)(browser, url), browser, portal)
        use_connection(version, venv, portal, processes)
    finally:
        processes.stop()
        shutil.rmtree(home, ignore_errors=True)


def start_web(version: str, venv: Path, port: int, processes: Processes) -> str:
    """Start the web server alone, and return its address once it answers."""
    airflow = str(venv / "bin" / "airflow")
    processes.run("migrate", airflow, "db", "migrate")
    url = f"http://127.0.0.1:{port}"
    if version.startswith("2."):
        who = ("--username", USER["username"], "--password", USER["password"], "--role", "Admin")
        names = ("--firstname", "A", "--lastname", "B", "--email", "a@b.example")
        processes.run("user", airflow, "users", "create", *who, *names)
        place = ("--hostname", "127.0.0.1", "--port", str(port), "--workers", "1")
        processes.start("web", airflow, "webserver", *place)
        page = f"{url}/health"
    else:
        processes.start("web", airflow, "api-server")
        page = f"{url}/api/v2/version"
    _until(lambda: requests.get(page, timeout=10).ok, processes)
    return url


def use_form(version: str, form: Any, browser: Browser, portal: Portal) -> None:
    """Check the fields, fill the form in, save and test it, with a picture of each part."""
    short = ".".join(version.split(".")[:2])
    form.open()
    webhook = portal.connections["webhook"]
    values = {"password": f"{portal.url}/rest/{webhook['login']}/{webhook['password']}/"}
    if short == "3.3":
        # Its Test button needs a port.
        values["port"] = "443"
    form.fill(CONN_ID, values)
    fields = []
    for name, part in form.parts().items():
        form.show(part)
        fields += [field for field in form.fields() if field not in fields]
        browser.shoot(f"connection-form-{short}{name}")
    for field in fields:
        say(version, f"  {field.label or field.name} [{field.kind}] {field.hint}")
    check_fields(short, fields)
    # Airflow 3 tests what is stored, and Airflow 2 what is typed.
    steps = [form.test, form.save] if version.startswith("2.") else [form.save, form.test]
    for step in steps:
        try:
            said = step(CONN_ID)
        except TimeoutException:
            raise FormError(f"{step.__name__} does not work; the page says: {form.text()[-600:]}") from None
        say(version, f"{step.__name__}: {said or 'done'}")
    if short.startswith("3"):
        browser.shoot(f"connection-test-{short}")


def check_fields(short: str, fields: list[Any]) -> None:
    """Refuse a form with an unused field, a secret in clear, or a field without an explanation."""
    names = {field.name.removeprefix("element_").removeprefix("extra__bitrix24__"): field for field in fields}
    missing = {"host", "login", "password", "refresh_token", "plan", "verify"} - set(names)
    clear = {name for name in _SECRETS & set(names) if names[name].kind != "password"}
    bare = {name for name in set(names) & _EXPLAINED if not names[name].hint}
    wrong = {
        "missing": missing,
        "in clear, or hidden now": clear ^ _IN_CLEAR.get(short, set()),
        "without a hint": bare,
        "unused": _UNUSED & set(names),
    }
    if any(wrong.values()):
        raise FormError(f"fields of the form: { ({why: what for why, what in wrong.items() if what}) }")


def use_connection(version: str, venv: Path, portal: Portal, processes: Processes) -> None:
    """Run a DAG with the stored connection, and look at the portal for what it did."""
    processes.run("dag", str(venv / "bin" / "airflow"), "dags", "test", "uses_form")
    (chat,) = [chat for chat in portal.state()["chats"] if chat["id"] == CHAT]
    texts = [message["text"] for message in chat["messages"]]
    if texts[-2:] != ["The form works.", "Does it?"]:
        raise FormError(f"the portal has {texts}")
    say(version, f"a DAG used the connection; the chat has {texts}")


def say(version: str, text: str) -> None:
    """Print one line of the transcript."""
    print(f"Airflow {version}: {text}", flush=True)


def _until(condition: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        processes.check()
        try:
            if condition():
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"The web server did not answer within {_WITHIN:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
