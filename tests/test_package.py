"""What is in the package, what imports what, and what importing it costs."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import airflow_provider_b24

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(airflow_provider_b24.__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_b24"

#: What ``make versions`` installs and runs: Airflow, date, Python, arguments.
MATRIX = [
    line.split()
    for line in Path(__file__)
    .with_name("versions")
    .joinpath("matrix")
    .read_text(encoding="utf-8")
    .splitlines()
    if not line.startswith("#")
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the source tree"),
]


def run(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    built = run("-m", "build", "--wheel", "--no-isolation", "--outdir", out)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(names: set[str]) -> None:
    tracked = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    shipped = {name for name in names if ".dist-info/" not in name}

    assert shipped == tracked


def test_the_wheel_holds_schemas_typing_marker_and_html(names: set[str]) -> None:
    schemas = {f"airflow_provider_b24/schemas/{path.name}" for path in (PACKAGE / "schemas").glob("*.json")}

    assert len(schemas) >= 4
    assert schemas | {"airflow_provider_b24/py.typed"} <= names
    assert {
        name for name in names if name.startswith("airflow_provider_b24/emulator/") and name.endswith(".html")
    }


def test_the_wheel_has_the_expected_metadata(wheel: Path, metadata: Message) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read(
            next(n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
        ).decode()
    required = {
        re.split(r"[^\w-]", line)[0] for line in metadata.get_all("Requires-Dist", []) if ";" not in line
    }

    assert metadata["Name"] == "airflow-provider-b24"
    assert metadata["Version"] == airflow_provider_b24.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert required == {"apache-airflow", "apache-airflow-providers-common-compat", "requests", "jsonschema"}
    assert "provider_info = airflow_provider_b24.get_provider_info:get_provider_info" in points


def test_the_common_compat_floor_is_below_the_pins_of_every_airflow_with_compat_sdk(
    metadata: Message,
) -> None:
    (needed,) = [line for line in metadata.get_all("Requires-Dist", []) if "common-compat" in line]

    # The constraints of Airflow 3.1.8 pin the oldest one that has compat.sdk.
    assert Requirement(needed).specifier.contains("1.14.0")


def test_every_python_of_the_classifiers_is_tried_with_an_airflow(metadata: Message) -> None:
    named = "\n".join(metadata.get_all("Classifier", []))

    assert set(re.findall(r"Python :: (3\.\d+)", named)) == {python for _, _, python, *_ in MATRIX}


def test_every_supported_airflow_and_the_lowest_dependencies_are_tried() -> None:
    tried = {".".join(version.split(".")[:2]) for version, *_ in MATRIX}

    assert tried == {"2.11", "3.0", "3.1", "3.2", "3.3", "lowest"}


def test_the_package_index_shows_no_link_to_a_file(metadata: Message) -> None:
    shown = str(metadata.get_payload())

    assert "# Apache Airflow provider for Bitrix24" in shown
    assert [link for link in re.findall(r"\]\(([^)]+)\)", shown) if not link.startswith("https://")] == []
    assert all(url.split(", ")[1].startswith("https://") for url in metadata.get_all("Project-URL", []))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (None, "See docs/polls.md, Examples (`example_dags`), [a](https://a.example) and [b](#b)."),
        (
            "https://git.example/b24/",
            "See [docs/polls.md](https://git.example/b24/blob/main/docs/polls.md), "
            "[Examples](https://git.example/b24/blob/main/example_dags), [a](https://a.example) and [b](#b).",
        ),
    ],
)
def test_links_to_files_become_absolute_or_plain_names(source: str | None, shown: str) -> None:
    for_index = runpy.run_path(str(ROOT / "hatch_build.py"))["for_index"]
    text = "See [docs/polls.md](docs/polls.md), [Examples](example_dags), [a](https://a.example) and [b](#b)."

    assert for_index(text, source) == shown


def test_airflow_can_be_imported_with_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    code = (
        "import airflow, airflow_provider_b24, importlib.metadata as m;"
        "print(airflow_provider_b24.__file__, m.version('airflow-provider-b24'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert str(wheel) in done.stdout


def test_the_emulators_page_and_the_schemas_are_read_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import airflow_provider_b24, urllib.request\n"
        "from airflow_provider_b24.emulator import Emulator\n"
        "from airflow_provider_b24.polls.draft import PollDraft\n"
        f"assert airflow_provider_b24.__file__.startswith({str(tmp_path)!r})\n"
        "PollDraft('Deploy?', ['Yes', 'No']).payload()\n"
        "with Emulator() as portal:\n"
        "    assert b'<html' in urllib.request.urlopen(portal.url).read()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr


def test_imports_run_down_only() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert linted.returncode == 0, linted.stdout
    assert " 0 broken" in linted.stdout


PARSED = (
    "operators.polls",
    "operators.open_lines",
    "operators.connectors",
    "operators.crm",
    "operators.chats",
    "operators.rest",
    "sensors.polls",
    "sensors.open_lines",
)
MODULES = (*PARSED, "operators.ask", "triggers.polls", "hooks.bitrix24", "notifications.bitrix24")
#: What checks literals while a DAG is parsed is small: it needs no schema and no client.
HEAVY = re.compile(
    r"^(requests|urllib3|jsonschema|airflow_provider_b24\.(rest|open_lines|chats|schemas|emulator|"
    r"polls\.(?!(rules|reference|wording)$)\w+))\b"
)
IMPORT = """
import sys, importlib
import airflow.sdk
for module in sys.argv[1:]:
    before = set(sys.modules)
    importlib.import_module("airflow_provider_b24." + module)
    print(module, *sorted(set(sys.modules) - before))
"""
#: Airflow's own operators load jsonschema for their params.
MAKE = """
import sys, importlib
LITERALS = {
    "answers": ["a", "b"], "messages": [], "parameters": {}, "commands": {}, "options": {}, "data": {},
    "rule": {"quorum": 1}, "if_errors": "fail", "if_undelivered": "fail",
    "if_invalid": "fail", "redelivery": "at_most_once", "mapping": {"user.id": "user"}, "max_undelivered": 1,
    "encoding": "utf-8",
    **dict.fromkeys(["multiple_choice", "anonymous", "allow_revote", "stop_at_end"], False),
    **dict.fromkeys(["chat_group", "force"], False), "state": "present",
    **dict.fromkeys(["with_voters", "all_pages", "repeatable"], True),
}
for name in sys.argv[1:]:
    module = importlib.import_module("airflow_provider_b24." + name)
    for kind in list(vars(module).values()):
        if getattr(kind, "__module__", "") == module.__name__ and kind.__name__.startswith("Bitrix24"):
            fields = set(kind.template_fields) - {"bitrix24_conn_id", "template_id"}
            pairs = (("session_id", "chat_id"), ("messages", "path"), ("chat_id", "user_id"))
            for first, second in pairs[: 2 if "entity_id" in fields else 3]:
                fields -= {second} if {first, second} <= fields else set()
            kind(task_id="t", **{field: LITERALS.get(field, "1") for field in fields})
            print("made", kind.__name__)
print(*sorted(sys.modules))
"""


def test_a_dag_file_that_imports_them_loads_neither_http_nor_schemas() -> None:
    done = run("-c", IMPORT, *MODULES)
    words = [line.split() for line in done.stdout.splitlines() if line.startswith(MODULES)]

    assert [row[0] for row in words] == list(MODULES), done.stderr
    assert "airflow_provider_b24.operators.polls" in words[0]
    assert [(row[0], name) for row in words for name in row[1:] if HEAVY.match(name)] == []


def test_making_operators_loads_no_http_either() -> None:
    done = run("-c", MAKE, *PARSED)
    *lines, modules = done.stdout.splitlines()

    assert len([line for line in lines if line.startswith("made ")]) == 20, done.stderr
    assert [name for name in modules.split() if HEAVY.match(name) and not name.startswith("jsonschema")] == []


def test_importing_the_package_imports_no_other_module() -> None:
    done = run(
        "-c", "import sys; a = set(sys.modules); import airflow_provider_b24; print(*set(sys.modules) - a)"
    )

    assert set(done.stdout.split()) <= {"airflow_provider_b24", "__future__"}


def test_the_metadata_needs_no_airflow() -> None:
    code = "import sys, airflow_provider_b24.get_provider_info; print('airflow' in sys.modules)"

    assert run("-c", code).stdout.strip() == "False"
