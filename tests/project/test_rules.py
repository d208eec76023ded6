"""The project keeps its own rules: each is a sentence in rules.py, read over manifest and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from project.exceptions import EXCEPTIONS
from project.rules import RULES, RULES_OF_COLUMNS, Rule, broken
from project.tree import Project, read_project, with_real_columns

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def project(dbt: Any) -> Project:
    """The project as the rules see it, parsed once."""
    return read_project(dbt.parse(), ROOT)


@pytest.fixture(scope="module")
def built_project(dbt: Any, demo: duckdb.DuckDBPyConnection) -> Project:
    """The same, each model with the columns that it has in the demo shop's warehouse."""
    return with_real_columns(read_project(dbt.parse(), ROOT), demo)


def expect_none(rule: Rule, project: Project) -> None:
    """Fail with the rule and everything that breaks it, a line each."""
    faults = broken(rule, project, EXCEPTIONS.get(rule.__name__, {}))
    if faults:
        pytest.fail("\n".join([rule.__doc__ or "", *faults]), pytrace=False)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_project_keeps_the_rule(rule: Rule, project: Project) -> None:
    """What the rule's own docstring says holds for every model, macro, test and file."""
    expect_none(rule, project)


@pytest.mark.parametrize("rule", RULES_OF_COLUMNS, ids=lambda rule: rule.__name__)
def test_warehouse_keeps_the_rule(rule: Rule, built_project: Project) -> None:
    """The same for rules that ask which columns the models really have."""
    expect_none(rule, built_project)


def test_dbt_warns_of_nothing(dbt: Any) -> None:
    """What every user would read before each build, from the first one on."""
    dbt.parse()
    assert dbt.parse_messages == []


def test_exceptions_are_of_rules() -> None:
    """An exception under a misspelt rule would be read by nobody."""
    names = {rule.__name__ for rule in (*RULES, *RULES_OF_COLUMNS)}
    assert set(EXCEPTIONS) <= names
