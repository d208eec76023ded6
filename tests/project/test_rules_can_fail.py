"""Each rule lets a small sound project pass, and finds the one thing that was broken in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from project.rules import (
    RULES,
    RULES_OF_COLUMNS,
    Rule,
    base_is_private_to_staging,
    broken,
    column_names_tell_the_type,
    documented_columns_are_the_real_ones,
    engines_are_named_in_macros_engine_alone,
    every_column_is_described,
    every_doc_block_is_used,
    every_engine_has_its_version,
    every_macro_argument_is_documented,
    every_macro_is_used,
    every_model_is_read,
    every_model_says_its_grain,
    every_seed_is_read,
    every_sql_has_its_yml,
    every_test_can_fail_a_build,
    every_variable_is_read,
    files_are_where_the_name_says,
    grain_is_tested,
    groups_have_no_circle,
    intermediate_is_private_to_its_group,
    lines_are_short,
    macros_are_short,
    marts_keep_their_promises,
    models_read_by_ref,
    names_of_tests_are_sentences,
    names_tell_the_layer,
    personal_data_ends_in_staging,
    raw_is_read_by_base,
    reads_leftwards,
    shared_descriptions_are_doc_blocks,
)
from project.tree import Column, DataTest, Macro, Project, Resource, UnitTest

Change = Callable[[Project], object]
TYPES = {"order_id": "VARCHAR", "net_amount": "DECIMAL(18,2)", "email": "VARCHAR"}


def model(
    path: str, parent: str, columns: tuple[str, ...] = ("order_id", "net_amount")
) -> Resource:
    """A sound model of one parent."""
    name = path.rsplit("/", maxsplit=1)[-1].removesuffix(".sql")
    is_mart = path.startswith("models/marts")
    return Resource(
        name=name,
        path=path,
        description="One row per order.",
        columns={column: Column(column, f"What {column} is.") for column in columns},
        parents={parent},
        sql="-- Grain: one row per order.\nwith"
        f" orders as (select * from {{{{ ref('{parent}') }}}})\nselect * from orders",
        is_public=is_mart,
        has_contract=is_mart,
        grain=("order_id",) if is_mart else (),
        yml_path=path.replace(".sql", ".yml"),
        real_columns={column: TYPES[column] for column in columns},
    )


def yml(resource: Resource, kind: str) -> str:
    """The .yml of a model or seed, its texts doc blocks."""
    columns = "".join(
        f"\n      - {{name: {column}, description: \"{{{{ doc('{column}') }}}}\"}}"
        for column in resource.columns
    )
    none = "" if columns else " []"
    return f"version: 2\n{kind}:\n  - name: {resource.name}\n    columns:{none}{columns}\n"


def sound_project() -> Project:
    """Raw orders on their way to two groups; it keeps every rule."""
    raw = Resource(
        name="raw_orders",
        path="seeds/raw/raw_orders.csv",
        description="One row per order.",
        columns={
            "order_id": Column("order_id", "The order."),
            "email": Column("email", "Who ordered.", is_personal=True),
        },
        yml_path="seeds/raw/raw_orders.yml",
    )
    models = [
        model(
            "models/staging/shop/base/base_shop__orders.sql", "raw_orders", ("order_id", "email")
        ),
        model("models/staging/shop/stg_shop__orders.sql", "base_shop__orders"),
        model("models/intermediate/core/int_orders_priced.sql", "stg_shop__orders"),
        model("models/marts/core/fct_orders.sql", "int_orders_priced"),
        model("models/intermediate/kpi/int_orders_cut.sql", "fct_orders"),
        model("models/marts/kpi/agg_orders_daily.sql", "int_orders_cut"),
    ]
    models[0].columns = {}  # the contract's
    models[2].sql += " where {{ converted('net_amount') }} > 0"
    models[3].sql += "\n{{ config(incremental_strategy='changed_rows') }}"
    macros = [
        Macro(
            "converted",
            "macros/money.sql",
            "Another currency.",
            {"amount": ("string", "The amount.")},
            "{% macro converted(amount) %}\n{{ dispatch('converted')(amount) }}\n{% endmacro %}",
        ),
        Macro(
            "duckdb__converted", "macros/engine/money.sql", sql="{% macro duckdb__converted() %}"
        ),
        Macro("spark__converted", "macros/engine/money.sql", sql="{% macro spark__converted() %}"),
        Macro(
            "get_incremental_changed_rows_sql",
            "macros/refresh/changed_rows.sql",
            "A strategy.",
            {"arg_dict": ("dict[string, any]", "What dbt gives.")},
            "{% macro get_incremental_changed_rows_sql(arg_dict) %}\n{% endmacro %}",
        ),
        Macro("should_full_refresh", "macros/refresh/ledger.sql", "Whether to build in full."),
    ]
    return Project(
        models={item.name: item for item in models},
        seeds={"raw_orders": raw},
        tests=[
            DataTest("assert_lines_sum_to_orders", "singular"),
            *(
                DataTest(f"{kind}_{mart}_order_id", kind, mart, ("order_id",))
                for mart in ("fct_orders", "agg_orders_daily")
                for kind in ("unique", "not_null")
            ),
        ],
        unit_tests=[UnitTest("no_lines_sum_to_nothing", "fct_orders", "An order without lines.")],
        macros={macro.name: macro for macro in macros},
        docs={"order_id": "The order's name.", "net_amount": "What it brought in."},
        files={
            "seeds/raw/raw_orders.yml": yml(raw, "seeds"),
            **{item.yml_path: yml(item, "models") for item in models},
            **{item.path: item.sql for item in models},
            **{macro.path: macro.sql for macro in macros},
        },
    )


def put(name: str, /, **values: object) -> Change:
    """Set attributes of the model, seed or macro of this name."""

    def change(project: Project) -> None:
        target = project.models.get(name) or project.seeds.get(name) or project.macros[name]
        for key, value in values.items():
            assert hasattr(target, key)
            setattr(target, key, value)

    return change


def put_python(name: str, code: str) -> Change:
    """Make a model one in Python, of this code."""

    def change(project: Project) -> None:
        target = project.models[name]
        target.path = target.path.replace(".sql", ".py")
        target.sql = code

    return change


def put_sql(name: str, sql: str) -> Change:
    """Give a model another query under a sound first line."""
    return put(name, sql=f"-- Grain: one row per order.\n{sql}")


def describe(name: str, text: str) -> Change:
    """Write a column of this text, out of every doc block, into a model's .yml."""

    def change(project: Project) -> None:
        path = project.models[name].yml_path
        project.files[path] += f"      - {{name: other, description: {text}}}\n"

    return change


BROKEN: list[tuple[Rule, Change, str]] = [
    (reads_leftwards, put("stg_shop__orders", parents={"fct_orders"}), "stg_shop__orders"),
    (reads_leftwards, put("int_orders_priced", parents={"fct_orders"}), "int_orders_priced"),
    (reads_leftwards, put("fct_orders", path="models/reports/fct_orders.sql"), "fct_orders"),
    (raw_is_read_by_base, put("stg_shop__orders", parents={"raw_orders"}), "stg_shop__orders"),
    (base_is_private_to_staging, put("fct_orders", parents={"base_shop__orders"}), "fct_orders"),
    (
        intermediate_is_private_to_its_group,
        put("agg_orders_daily", parents={"int_orders_priced"}),
        "agg_orders_daily",
    ),
    (groups_have_no_circle, put("fct_orders", parents={"agg_orders_daily"}), "core"),
    (models_read_by_ref, put_sql("fct_orders", "select * from marts.orders"), "fct_orders"),
    (
        models_read_by_ref,
        put_sql("fct_orders", "select * from a join orders on true"),
        "fct_orders",
    ),
    (
        models_read_by_ref,
        put_python("int_orders_priced", "# Grain: a\nx = 'select * from marts.orders'"),
        "int_orders_priced",
    ),
    (names_tell_the_layer, put("fct_orders", name="orders_final"), "orders_final"),
    (names_tell_the_layer, put("int_orders_priced", name="int_orders_price"), "int_orders_price"),
    (names_tell_the_layer, put("stg_shop__orders", name="stg_web__orders"), "stg_web__orders"),
    (
        files_are_where_the_name_says,
        put("fct_orders", path="models/marts/fct_orders.sql"),
        "fct_orders",
    ),
    (files_are_where_the_name_says, put("raw_orders", path="seeds/raw_orders.csv"), "raw_orders"),
    (files_are_where_the_name_says, put_python("fct_orders", "# Grain: a row."), "fct_orders"),
    (
        names_of_tests_are_sentences,
        lambda project: project.tests.append(DataTest("test_orders", "singular")),
        "test_orders",
    ),
    (
        names_of_tests_are_sentences,
        lambda project: project.unit_tests.append(UnitTest("a_case_works", "fct_orders", "")),
        "a_case_works",
    ),
    (
        column_names_tell_the_type,
        put("fct_orders", real_columns={"net_amount": "DOUBLE"}),
        "fct_orders.net_amount",
    ),
    (
        column_names_tell_the_type,
        put("fct_orders", real_columns={"refund_amount_by_order_date": "DATE"}),
        "fct_orders.refund_amount_by_order_date",
    ),
    (
        column_names_tell_the_type,
        put("fct_orders", real_columns={"paid": "BOOLEAN"}),
        "fct_orders.paid",
    ),
    (
        column_names_tell_the_type,
        put("fct_orders", real_columns={"turnover": "DECIMAL(18,2)"}),
        "fct_orders.turnover",
    ),
    (every_sql_has_its_yml, put("fct_orders", yml_path="models/marts/marts.yml"), "fct_orders"),
    (
        every_sql_has_its_yml,
        lambda project: project.files.update(
            {"models/marts/core/fct_orders.yml": "models: [{name: fct_orders}, {name: dim_dates}]"}
        ),
        "fct_orders",
    ),
    (every_model_says_its_grain, put("fct_orders", sql="select 1"), "fct_orders"),
    (every_model_says_its_grain, put("raw_orders", description=" "), "raw_orders"),
    (
        every_model_says_its_grain,
        put_python("int_orders_priced", "-- Grain: not Python."),
        "int_orders_priced",
    ),
    (marts_keep_their_promises, put("fct_orders", is_public=False), "fct_orders"),
    (marts_keep_their_promises, put("fct_orders", has_contract=False), "fct_orders"),
    (marts_keep_their_promises, put("fct_orders", grain=()), "fct_orders"),
    (grain_is_tested, put("fct_orders", grain=("order_id", "line_number")), "fct_orders"),
    (grain_is_tested, lambda project: project.tests.pop(), "agg_orders_daily"),
    (
        documented_columns_are_the_real_ones,
        put("fct_orders", real_columns={"order_id": "VARCHAR"}),
        "fct_orders.net_amount",
    ),
    (documented_columns_are_the_real_ones, put("fct_orders", columns={}), "fct_orders.order_id"),
    (documented_columns_are_the_real_ones, put("fct_orders", real_columns={}), "fct_orders"),
    (
        every_column_is_described,
        put("fct_orders", columns={"order_id": Column("order_id", " ")}),
        "fct_orders.order_id",
    ),
    (
        shared_descriptions_are_doc_blocks,
        lambda project: [
            describe(name, "Some.")(project) for name in ("fct_orders", "stg_shop__orders")
        ],
        "stg_shop__orders.other",
    ),
    (
        shared_descriptions_are_doc_blocks,
        describe("fct_orders", "What it brought in."),
        "fct_orders.other",
    ),
    (every_doc_block_is_used, lambda project: project.docs.update(gone="It was."), "gone"),
    (
        personal_data_ends_in_staging,
        put("stg_shop__orders", columns={"email": Column("email", "Who.")}),
        "stg_shop__orders.email",
    ),
    (
        personal_data_ends_in_staging,
        put_sql("fct_orders", "select md5(email) as e from orders"),
        "fct_orders",
    ),
    (every_model_is_read, put("fct_orders", parents=set()), "int_orders_priced"),
    (every_seed_is_read, put("base_shop__orders", parents=set()), "raw_orders"),
    (
        every_macro_is_used,
        lambda project: project.macros.update(gone=Macro("gone", "macros/gone.sql")),
        "gone",
    ),
    (
        every_macro_is_used,
        lambda project: project.files.update({"models/marts/core/fct_orders.sql": ""}),
        "get_incremental_changed_rows_sql",
    ),
    (
        every_variable_is_read,
        lambda project: project.files.update({"dbt_project.yml": "vars: {gone: 1}"}),
        "gone",
    ),
    (every_macro_argument_is_documented, put("converted", description=""), "converted"),
    (
        every_macro_argument_is_documented,
        put("converted", arguments={"amount": ("string", "")}),
        "converted",
    ),
    (every_macro_argument_is_documented, put("converted", arguments={}), "converted"),
    (
        macros_are_short,
        put("converted", sql="{% macro converted(amount) %}\n" + "1\n" * 40),
        "converted",
    ),
    (
        lines_are_short,
        lambda project: project.files.update(
            {"models/marts/core/fct_orders.sql": "1\n" + "-" * 101}
        ),
        "models/marts/core/fct_orders.sql:2",
    ),
    (
        engines_are_named_in_macros_engine_alone,
        put_sql("fct_orders", "select arg_min(a, b) from orders"),
        "fct_orders",
    ),
    (
        engines_are_named_in_macros_engine_alone,
        put_sql("fct_orders", "select cents // 100 from orders"),
        "fct_orders",
    ),
    (
        engines_are_named_in_macros_engine_alone,
        put_python("int_orders_priced", "# Grain: a row.\nx = orders.filter('list_sum(a) > 1')"),
        "int_orders_priced",
    ),
    (
        engines_are_named_in_macros_engine_alone,
        put("duckdb__converted", path="macros/money.sql"),
        "duckdb__converted",
    ),
    (
        every_engine_has_its_version,
        put("converted", sql="{{ return(adapter.dispatch('counted')(value)) }}"),
        "counted",
    ),
    (
        every_test_can_fail_a_build,
        lambda project: project.tests.append(DataTest("late", "not_null", severity="warn")),
        "late",
    ),
]


@pytest.mark.parametrize("rule", [*RULES, *RULES_OF_COLUMNS], ids=lambda rule: rule.__name__)
def test_sound_project_passes(rule: Rule) -> None:
    """A rule that finds faults everywhere would be switched off by exceptions."""
    assert list(rule(sound_project())) == []


@pytest.mark.parametrize(
    ("rule", "change", "name"), BROKEN, ids=[f"{rule.__name__}-{name}" for rule, _, name in BROKEN]
)
def test_broken_project_fails(rule: Rule, change: Change, name: str) -> None:
    """A rule that cannot fail protects nothing."""
    project = sound_project()
    change(project)
    assert name in {found for found, _ in rule(project)}


def test_sound_model_in_python_passes() -> None:
    """Docstrings may say from where to where; names of columns, and calls, are no SQL."""
    project = sound_project()
    code = """# Grain: one row per order.
'''Fits from orders to customers.'''
def model(dbt, session):
    orders = dbt.ref("stg_shop__orders").filter(f"order_id = '{list(range(3))[0]}'")
    return orders.order("order_id")
"""
    put_python("int_orders_priced", code)(project)
    project.models["int_orders_priced"].yml_path = "models/intermediate/core/int_orders_priced.yml"
    for rule in (*RULES, *RULES_OF_COLUMNS):
        if rule is not every_macro_is_used:  # the one that the model in SQL called
            assert list(rule(project)) == [], rule.__name__


def test_every_rule_is_seen_to_fail() -> None:
    """Whoever adds a rule adds what breaks it."""
    assert {rule for rule, _, _ in BROKEN} == {*RULES, *RULES_OF_COLUMNS}


def test_exception_needs_a_reason_and_a_fault() -> None:
    """An exception hides the fault it names, and fails without a reason or when it is stale."""
    project = sound_project()
    put("fct_orders", sql="select 1")(project)
    rule = every_model_says_its_grain
    assert broken(rule, project, {}) == ["fct_orders does not begin with -- Grain:"]
    assert broken(rule, project, {"fct_orders": "a reason"}) == []
    assert broken(rule, project, {"fct_orders": " "}) == ["fct_orders has no reason"]
    assert broken(rule, sound_project(), {"fct_orders": "a reason"}) == [
        "fct_orders keeps the rule: no exception"
    ]
