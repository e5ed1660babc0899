"""What the service is made of: licences that may be taken, holes that are told, and never a silence taken for well."""

import json
from typing import Any

import pytest

from deploy import licences
from deploy.audit import judge


def test_each_dependency_has_a_licence_that_we_take() -> None:
    found = licences.licences()
    taken = {name for name, licence in found.items() if licences.is_permissive(licence)}
    assert found.keys() - taken == licences.USED_AS_THEY_ARE.keys()
    assert licences.PAGE.read_text() == licences.page(), "python -m deploy.licences"


@pytest.mark.parametrize(
    ("licence", "is_fine"),
    [("MIT", True), ("Apache-2.0 OR GPL-3.0", True), ("MIT AND GPL-3.0", False), ("MPL-2.0 AND (MIT OR ISC)", False)],
)
def test_a_licence_is_read_as_an_expression(licence: str, is_fine: bool) -> None:
    assert licences.is_permissive(licence) is is_fine


def package(name: str, **more: Any) -> dict[str, Any]:
    """One of pip-audit's answer."""
    return {"name": name, "version": "1", "vulns": []} | more


def test_a_hole_is_told_and_a_silence_is_no_clean_bill() -> None:
    hole = {"id": "PYSEC-1", "fix_versions": ["2"]}
    skipped = {"name": "b", "skip_reason": "not found"}

    def status(*packages: dict[str, Any]) -> int:
        return judge(json.dumps({"dependencies": packages}), "")[0]

    assert status(package("a"), package("b")) == 0
    assert status(package("a", vulns=[hole]), package("b")) == 1
    assert status(package("a", vulns=[hole]), skipped) == 1
    assert status(package("a"), skipped) == 2
    assert status(skipped) == 2
    assert judge("", "ConnectionError: refused") == (
        2,
        ["audit: NOTHING WAS AUDITED: the list of known holes could not be asked: ConnectionError: refused"],
    )
