"""Each documented code becomes the type of error that a user can catch."""

from __future__ import annotations

import csv
import pathlib

import pytest

from airflow_provider_b24 import exceptions
from airflow_provider_b24.exceptions import Bitrix24ApiError
from airflow_provider_b24.rest.error_codes import ERROR_CODES, error_type

with pathlib.Path(__file__).with_name("documented_codes.csv").open(encoding="utf-8") as _file:
    DOCUMENTED = list(csv.DictReader(_file))


def name_of(row: dict[str, str]) -> str:
    return f"{row['method']}-{row['status']}-{row['code']}"


@pytest.mark.parametrize("row", DOCUMENTED, ids=name_of)
def test_a_documented_code_has_its_type(row: dict[str, str]) -> None:
    expected = getattr(exceptions, f"Bitrix24{row['type']}Error")

    assert error_type(method=row["method"], code=row["code"], status=int(row["status"])) is expected


@pytest.mark.parametrize("row", DOCUMENTED[:20], ids=name_of)
def test_case_of_codes_and_methods_does_not_matter(row: dict[str, str]) -> None:
    expected = getattr(exceptions, f"Bitrix24{row['type']}Error")
    found = error_type(method=row["method"].upper(), code=row["code"].lower(), status=int(row["status"]))

    assert found is expected


def test_no_code_is_known_that_is_not_documented() -> None:
    known = {row.code for row in ERROR_CODES}

    assert known <= {row["code"].lower() for row in DOCUMENTED}


def test_each_code_of_a_method_has_one_row() -> None:
    names = [(row.method, row.code) for row in ERROR_CODES]

    assert len(set(names)) == len(names)
    assert all(method == method.lower() and code == code.lower() for method, code in names)


def test_the_method_decides_the_type_of_an_ambiguous_code() -> None:
    assert error_type(method="crm.deal.get", code="0", status=400) is Bitrix24ApiError
    assert error_type(method="vote.Integration.Im.send", code="0", status=400) is not Bitrix24ApiError


def test_a_failure_without_a_status_has_a_type_too() -> None:
    assert error_type(method="crm.deal.get", code="NEVER_SEEN", status=None) is Bitrix24ApiError
