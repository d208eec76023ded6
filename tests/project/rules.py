"""The rules of the house. A rule takes the project and yields (object, what is wrong with it).

An object that must be as it is stands in exceptions.py with its reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

import yaml
from project.tree import Macro, Project, Resource, plain_sql

Faults = Iterator[tuple[str, str]]
Rule = Callable[[Project], Faults]

LAYERS = ("staging", "intermediate", "marts")
PARTICIPLES_WITHOUT_ED = (
    "cut", "built", "known", "kept", "split", "drawn", "won", "lost", "spent", "sent",
)  # fmt: skip
MACRO_LINES = 30
LINE_LENGTH = 100
# Money of one unit, which may be less than a cent, and why each is here.
FOUR_DECIMALS = {
    "unit_cost_amount": "a unit's cost, multiplied before it is rounded",
    "stg_marketing__messages.cost_amount": "one message costs less than a cent",
    "agg_message_performance.cost_amount": "and so may all of a day",
}
# Macros that dbt looks up by their names, ours in place of its own.
CALLED_BY_DBT = (
    "generate_schema_name",
    "should_full_refresh",
    "create_table_as",
    "create_view_as",
    "dbt_spark_validate_get_incremental_strategy",
    "get_assert_columns_equivalent",
    "get_select_subquery",
)
ENGINES = ("duckdb", "spark")
# What only one engine has, so that macros/engine is where it lives: functions, operators, clauses,
# and the type text, which the others call string.
ENGINE_WORDS = re.compile(
    r"\b(struct_pack|arg_m\w+|m(?:in|ax)_by|list|list_\w+|array_\w+|epoch_\w+|exclude|strftime|strptime"
    r"|unnest|explode|regexp_\w+|read_\w+|generate_series|range|datesub|date_?diff|date_sub|isodow|json_\w+"
    r"|to_json|quantile\w*|percentile\w*|approx_\w+|median|mode|any_value|format|make_\w+)\s*\("
    r"|\b(qualify|asof|at time zone|(?:group|order) by all|as text)\b|//|::|:=",
    re.IGNORECASE,
)


def broken(rule: Rule, project: Project, exceptions: dict[str, str]) -> list[str]:
    """What breaks a rule, exceptions aside, and the exceptions that are stale or have no reason."""
    faults = list(rule(project))
    objects = {name for name, _ in faults}
    return [
        *(f"{name} {fault}" for name, fault in faults if name not in exceptions),
        *(f"{name} keeps the rule: no exception" for name in exceptions if name not in objects),
        *(f"{name} has no reason" for name, reason in exceptions.items() if not reason.strip()),
    ]


# Layers


def reads_leftwards(project: Project) -> Faults:
    """Raw -> staging -> intermediate -> marts: a model reads its own layer or those to its left."""
    for model in project.models.values():
        if model.layer not in LAYERS:
            yield model.name, f"is in {model.path}, which is no layer"
            continue
        parents = (parent for parent in project.parents_of(model) if parent.layer in LAYERS)
        for parent in parents:
            if LAYERS.index(parent.layer) > LAYERS.index(model.layer) and not _is_other_mart(
                model, parent
            ):
                yield model.name, f"({model.layer}) reads {parent.name} ({parent.layer})"


def _is_other_mart(model: Resource, parent: Resource) -> bool:
    """A group knows another one by its marts, from its intermediates on: there is no other way."""
    return model.layer == "intermediate" and parent.layer == "marts" and parent.group != model.group


def raw_is_read_by_base(project: Project) -> Faults:
    """The shop's own rows are read by base models, and counted by group quality."""
    for model in project.models.values():
        raw = sorted(name for name in model.parents if name.startswith("raw_"))
        if raw and not (model.is_base or model.group == "quality"):
            yield model.name, f"reads {raw[0]}; only base models and quality read raw seeds"


def base_is_private_to_staging(project: Project) -> Faults:
    """Rows as the shop brought them stay in staging; group quality accounts for them."""
    for model in project.models.values():
        for parent in project.parents_of(model):
            if parent.is_base and model.layer != "staging" and model.group != "quality":
                yield model.name, f"reads {parent.name}; only staging and quality read base models"


def intermediate_is_private_to_its_group(project: Project) -> Faults:
    """An intermediate can change without anyone else knowing, because only its group reads it."""
    for model in project.models.values():
        for parent in project.parents_of(model):
            if parent.layer == "intermediate" and parent.group != model.group:
                yield model.name, f"({model.group}) reads {parent.name} of group {parent.group}"


def groups_have_no_circle(project: Project) -> Faults:
    """Groups can be built, read and removed one by one: none waits for one that waits for it."""
    reads: dict[str, set[str]] = defaultdict(set)
    for model in project.in_layer("intermediate", "marts"):
        for parent in project.parents_of(model):
            if parent.layer in ("intermediate", "marts") and parent.group != model.group:
                reads[model.group].add(parent.group)
    for group in sorted(reads):
        reached, todo = set[str](), list(reads[group])
        while todo:
            other = todo.pop()
            if other not in reached:
                reached.add(other)
                todo.extend(reads.get(other, ()))
        if group in reached:
            yield group, f"reads {', '.join(sorted(reads[group]))}, and they read it"


def models_read_by_ref(project: Project) -> Faults:
    """A table named without ref is no edge: built in the wrong order, missing in the lineage."""
    for model in project.models.values():
        sql = re.sub(r"\bextract\s*\([^)]*\)|\bdistinct from\b", " ", model.plain_sql)
        called = [macro.sql for macro in project.macros.values() if f"{macro.name}(" in model.sql]
        written = sql + "".join(map(plain_sql, called))
        ctes = set(re.findall(r"\b(\w+)\s+as\s+(?:jinja_value\s+)?\(", written)) | {"jinja_value"}
        for name in re.findall(r"\b(?:from|join)\s+(\w+(?:\.\w+)*)", sql):
            if name not in ctes:
                yield model.name, f"reads {name} by its name"


# Names and folders


def names_tell_the_layer(project: Project) -> Faults:
    """The name alone says what a model is and where its file stands."""
    past_participle = rf"\w*(ed|_({'|'.join(PARTICIPLES_WITHOUT_ED)}))"
    for model in project.models.values():
        source = re.escape(model.group)
        patterns = {
            "staging": rf"(stg|base)_{source}__[a-z0-9_]+",
            "intermediate": rf"int_[a-z0-9]{past_participle}",
            "marts": r"(dim|fct|agg)_[a-z0-9_]+",
        }
        if not re.fullmatch(patterns.get(model.layer, ""), model.name):
            yield model.name, f"is no name for {model.layer}: {patterns.get(model.layer)}"


def files_are_where_the_name_says(project: Project) -> Faults:
    """models/<layer>/<source or group>/<name>.sql or .py, base models in a folder base of it."""
    for model in project.models.values():
        middle = (model.layer, model.group, *(("base",) if model.is_base else ()))
        # Python where there is something to fit: private to a group, of input that SQL has made
        # small.
        suffix = "py" if model.is_python and model.layer == "intermediate" else "sql"
        expected = "/".join(("models", *middle, f"{model.name}.{suffix}"))
        if model.path != expected:
            yield model.name, f"is in {model.path}, not {expected}"
    for seed in project.seeds.values():
        folder = {"raw": "raw", "ref": "reference"}.get(seed.name.split("_")[0])
        if not folder or seed.path != f"seeds/{folder}/{seed.name}.csv":
            yield seed.name, "is no raw_<table> in seeds/raw, nor ref_<entities> in seeds/reference"


def names_of_tests_are_sentences(project: Project) -> Faults:
    """A failing test is read by its name: assert_<true sentence>, <situation>_<result>."""
    for test in project.tests:
        if test.kind == "singular" and not re.fullmatch(r"assert(_[a-z0-9]+){3,}", test.name):
            yield test.name, "is no assert_<true sentence>"
    for unit_test in project.unit_tests:
        is_sentence = re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+){2,}", unit_test.name)
        if not is_sentence or unit_test.name.startswith("test_"):
            yield unit_test.name, "is no <situation>_<result>"
        if not unit_test.description.strip():
            yield unit_test.name, "does not say what it protects"


def column_names_tell_the_type(project: Project) -> Faults:
    """is_/has_ is a boolean, _at a time, _date a day, _amount money in cents, _count a bigint."""
    for model in project.models.values():
        if model.is_base:
            continue  # the contract's names
        for column, data_type in model.real_columns.items():
            expected = _expected_type(model.name, column)
            if expected and data_type != expected:
                yield f"{model.name}.{column}", f"is {data_type}, not {expected}"
            if not expected and data_type in ("BOOLEAN", "TIMESTAMP", "DATE"):
                yield f"{model.name}.{column}", f"is a {data_type} without the name of one"
            if model.layer == "marts" and "_amount" not in column and data_type == "DECIMAL(18,2)":
                yield f"{model.name}.{column}", "is money without the name _amount"


def _expected_type(model: str, column: str) -> str | None:
    if FOUR_DECIMALS.keys() & {column, f"{model}.{column}"}:
        return "DECIMAL(18,4)"
    patterns = {
        r".*_amount(_.*)?": "DECIMAL(18,2)",  # refund_amount_by_order_date is money
        r"(is|has)_.*": "BOOLEAN",
        r".*_at": "TIMESTAMP",
        r".*_date": "DATE",
        r".*_count": "BIGINT",
        r".*_(rate|share|ratio)": "DOUBLE",
        r".*_(id|key)": "VARCHAR",
    }
    found = (data_type for pattern, data_type in patterns.items() if re.fullmatch(pattern, column))
    return next(found, None)


# Files, descriptions, grain


def every_sql_has_its_yml(project: Project) -> Faults:
    """Whoever changes a model finds its description beside it, and nothing else in that file."""
    for resource in (*project.models.values(), *project.seeds.values()):
        expected = str(PurePosixPath(resource.path).with_suffix(".yml"))
        if resource.yml_path != expected:
            yield resource.name, f"is described in {resource.yml_path or 'no file'}, not {expected}"
            continue
        content = yaml.safe_load(project.files[expected])
        entries = [*content.get("models", ()), *content.get("seeds", ())]
        tested = {test["model"] for test in content.get("unit_tests", ())}
        others = {entry["name"] for entry in entries} | tested
        keys = set(content) - {"version", "models", "seeds", "unit_tests"}
        if others != {resource.name} or len(entries) != 1 or keys:
            found = ", ".join(sorted(others - {resource.name} | keys)) or "it more than once"
            yield resource.name, f"shares {expected} with {found}"


def every_model_says_its_grain(project: Project) -> Faults:
    """The first line of a model is what one row is; its description says it to those outside."""
    for model in project.models.values():
        comment = "#" if model.is_python else "--"
        if not re.match(rf"{comment} Grain: \S", model.sql):
            yield model.name, f"does not begin with {comment} Grain:"
    for resource in (*project.models.values(), *project.seeds.values()):
        if not resource.description.strip():
            yield resource.name, "has no description"


def marts_keep_their_promises(project: Project) -> Faults:
    """What outsiders build on is public, its columns and types are enforced, its grain is told."""
    for mart in project.in_layer("marts"):
        if not mart.is_public:
            yield mart.name, "is not public"
        if not mart.has_contract:
            yield mart.name, "has no enforced contract"
        if not mart.grain:
            yield mart.name, "has no meta.grain"


def grain_is_tested(project: Project) -> Faults:
    """A mart with two rows for one of its grain doubles whoever joins it."""
    for mart in project.in_layer("marts"):
        kind = "unique" if len(mart.grain) == 1 else "unique_combination"
        if mart.grain and not project.is_tested(mart.name, kind, mart.grain):
            yield mart.name, f"has no {kind} test of its grain ({', '.join(mart.grain)})"
        if len(mart.grain) == 1 and not project.is_tested(mart.name, "not_null", mart.grain):
            yield (
                mart.name,
                f"may have NULL for its grain {mart.grain[0]}, which unique passes over",
            )


# Columns


def documented_columns_are_the_real_ones(project: Project) -> Faults:
    """Nobody reads of a column that is gone, nor finds one that nobody explains.

    The columns that a base model has of the raw contract are described once, at the raw seed.
    """
    for model in project.models.values():
        documented, real = set(model.columns), set(model.real_columns)
        if not real:
            yield model.name, "is not in the warehouse"
            continue
        for column in sorted(documented - real):
            yield f"{model.name}.{column}", "is documented, but is not there"
        for column in sorted(real - documented - _contract_columns(project, model)):
            yield f"{model.name}.{column}", "is not documented"


def _contract_columns(project: Project, model: Resource) -> set[str]:
    table = model.name.partition("__")[2].removesuffix("_set_aside")
    seed = project.seeds.get(f"raw_{table}")
    return set(seed.columns) if model.is_base and seed else set()


def every_column_is_described(project: Project) -> Faults:
    """A column's name is rarely enough: its unit, its zone, what NULL means."""
    for resource in (*project.models.values(), *project.seeds.values()):
        for column in resource.columns.values():
            if not column.description.strip():
                yield f"{resource.name}.{column.name}", "has no description"


def shared_descriptions_are_doc_blocks(project: Project) -> Faults:
    """One meaning, one text: two copies of a description drift apart.

    The raw contract (seeds/raw) is written out, as shops read those files by themselves.
    """
    written_by_hand: dict[str, list[str]] = defaultdict(list)
    for path, text in project.files.items():
        if path.endswith(".yml") and path.startswith(("models/", "seeds/reference/")):
            for column, description in _column_texts(yaml.safe_load(text) or {}):
                if "doc(" not in description:
                    written_by_hand[" ".join(description.split())].append(column)
    blocks = {" ".join(text.split()): name for name, text in project.docs.items()}
    for description, columns in written_by_hand.items():
        if len(columns) > 1:
            yield columns[0], f"and {', '.join(columns[1:])} share a text: make it a doc block"
        if description in blocks:
            yield columns[0], f"has the text of doc block {blocks[description]}: refer to it"


def _column_texts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    tables = chain(
        content.get("models", ()),
        content.get("seeds", ()),
        *(source.get("tables", ()) for source in content.get("sources", ())),
    )
    for table in tables:
        for column in table.get("columns", ()):
            yield f"{table['name']}.{column['name']}", column.get("description", "")


def every_doc_block_is_used(project: Project) -> Faults:
    """A doc block that nothing refers to describes something that is gone."""
    text = "\n".join(text for path, text in project.files.items() if path.endswith(".yml"))
    used = set(re.findall(r"doc\(['\"](\w+)['\"]\)", text))
    for name in project.docs:
        if name not in used:
            yield name, "is used by no description"


def personal_data_ends_in_staging(project: Project) -> Faults:
    """Beyond staging nothing can tell a person's address or birth date, as nothing has them."""
    personal = {
        column.name
        for seed in project.seeds.values()
        for column in seed.columns.values()
        if column.is_personal
    }
    for model in project.models.values():
        names = set(model.columns) | set(model.real_columns)
        if not model.is_base:
            for name in sorted(names & personal):
                yield f"{model.name}.{name}", "is personal data beyond base models"
        if model.layer != "staging":
            for name in sorted(personal & set(re.findall(r"\w+", model.plain_sql))):
                yield model.name, f"names {name}, which is personal data"


# What is dead


def every_model_is_read(project: Project) -> Faults:
    """A model that no mart comes from costs time at every build and tells nobody anything."""
    for model in project.in_layer("staging", "intermediate"):
        if not project.children_of(model.name):
            yield model.name, "is read by no model"


def every_seed_is_read(project: Project) -> Faults:
    """A seed that nothing reads is a file that somebody keeps up to date for nothing."""
    for seed in project.seeds.values():
        if not project.children_of(seed.name):
            yield seed.name, "is read by no model"


def every_macro_is_used(project: Project) -> Faults:
    """A macro that nothing calls is code that nothing tests.

    dbt calls a strategy's macro where a model names the strategy, and orchestration an operation's.
    """
    texts = (text for path, text in project.files.items() if path.endswith(".sql"))
    text = "\n".join((*texts, project.files.get("dbt_project.yml", "")))
    text = re.sub(r"(?s)\{#.*?#\}", "", text)
    text = re.sub(r"\{%-?\s*(macro|test)\s+\w+", "", text)
    calls = {*re.findall(r"\b(\w+)\(", text), *re.findall(r"dispatch\('(\w+)'", text)}
    strategies = re.findall(r"\bincremental_strategy\s*[=:]\s*['\"]?(\w+)", text)
    calls |= {f"get_incremental_{strategy}_sql" for strategy in strategies}
    python = (text for path, text in project.files.items() if path.startswith("orchestration/"))
    calls |= set(re.findall(r'\b_operate\("(\w+)"', "\n".join(python)))
    kinds = {test.kind for test in project.tests}
    for macro in project.macros.values():
        name = macro.name.split("__")[-1]
        is_called_by_dbt = name in CALLED_BY_DBT or name.startswith("materialization_")
        if not (is_called_by_dbt or name in calls or name.removeprefix("test_") in kinds):
            yield macro.name, "is called by nothing"


def every_variable_is_read(project: Project) -> Faults:
    """A variable that nothing reads is set in good faith, and changes nothing."""
    variables = yaml.safe_load(project.files.get("dbt_project.yml", "")) or {}
    text = "\n".join(
        text for path, text in project.files.items() if path.endswith((".sql", ".yml"))
    )
    read = set(re.findall(r"\bvar\(\s*['\"](\w+)['\"]", text))
    for name in variables.get("vars", {}):
        if name not in read:
            yield name, "is read by nothing"


# Macros and engines


def every_macro_argument_is_documented(project: Project) -> Faults:
    """A macro is used by those who have not read it: its arguments say what to give."""
    for macro in project.macros.values():
        if _is_implementation(macro):
            continue
        if not macro.description.strip():
            yield macro.name, "has no description"
        for name, (data_type, description) in macro.arguments.items():
            if not data_type.strip() or not description.strip():
                yield macro.name, f"does not say what {name} is"
        for name in sorted(_arguments_in_sql(macro) ^ set(macro.arguments)):
            yield macro.name, f"has the argument {name} in one of its .sql and .yml only"


def _is_implementation(macro: Macro) -> bool:
    """One engine's version, a dbt materialization, or a generic test with dbt's own arguments."""
    return "__" in macro.name or macro.name.startswith(("materialization_", "test_"))


def _arguments_in_sql(macro: Macro) -> set[str]:
    signature = re.search(rf"macro\s+{macro.name}\s*\((.*?)\)\s*-?%\}}", macro.sql, flags=re.DOTALL)
    return set(re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", signature[1])) if signature else set()


def macros_are_short(project: Project) -> Faults:
    """SQL that Jinja writes is hard to read: a macro fits on half a screen."""
    for macro in project.macros.values():
        lines = [line for line in macro.sql.splitlines()[1:-1] if line.strip()]
        if len(lines) > MACRO_LINES:
            yield macro.name, f"has {len(lines)} lines, more than {MACRO_LINES}"


def lines_are_short(project: Project) -> Faults:
    """Two models stand side by side on a screen; sqlfluff took a fifth of its time to see it."""
    for path, text in project.files.items():
        if path.startswith(("models/", "tests/singular/")) and path.endswith(".sql"):
            for number, line in enumerate(text.splitlines(), start=1):
                if len(line) > LINE_LENGTH:
                    yield f"{path}:{number}", f"has {len(line)} characters, more than {LINE_LENGTH}"


def engines_are_named_in_macros_engine_alone(project: Project) -> Faults:
    """The next engine is a few macros in macros/engine, not a search through every model."""
    for model in project.models.values():
        found = ENGINE_WORDS.search(model.plain_sql)
        if found:
            yield (
                model.name,
                f"has {found[0]}, which not every engine has: a macro of macros/engine",
            )
    for macro in project.macros.values():
        is_engine = macro.path.startswith("macros/engine/")
        if _names_an_engine(macro) != is_engine and "dispatch(" not in macro.sql and not is_engine:
            yield macro.name, f"is for one engine, and in {macro.path}"


def every_engine_has_its_version(project: Project) -> Faults:
    """What the other engine cannot say it cannot build: found here, not in somebody's cluster."""
    names = {macro.name for macro in project.macros.values()}
    for macro in project.macros.values():
        for dispatched in re.findall(r"dispatch\('(\w+)'\)", macro.sql):
            for engine in ENGINES:
                if f"{engine}__{dispatched}" not in names:
                    yield dispatched, f"has no version for {engine}"


def _names_an_engine(macro: Macro) -> bool:
    is_materialization = macro.name.startswith("materialization_") and "default" not in macro.name
    return bool(re.match(r"(duckdb|spark)__", macro.name)) or is_materialization


# Tests


def every_test_can_fail_a_build(project: Project) -> Faults:
    """A warning that a build passes over is read by nobody; it needs a reason."""
    for test in project.tests:
        if test.severity != "error" and not test.reason:
            yield test.name, f"has severity {test.severity} without meta.reason"


RULES = (
    reads_leftwards,
    raw_is_read_by_base,
    base_is_private_to_staging,
    intermediate_is_private_to_its_group,
    groups_have_no_circle,
    models_read_by_ref,
    names_tell_the_layer,
    files_are_where_the_name_says,
    names_of_tests_are_sentences,
    every_sql_has_its_yml,
    every_model_says_its_grain,
    marts_keep_their_promises,
    grain_is_tested,
    every_column_is_described,
    shared_descriptions_are_doc_blocks,
    every_doc_block_is_used,
    every_model_is_read,
    every_seed_is_read,
    every_macro_is_used,
    every_variable_is_read,
    every_macro_argument_is_documented,
    macros_are_short,
    lines_are_short,
    engines_are_named_in_macros_engine_alone,
    every_engine_has_its_version,
    every_test_can_fail_a_build,
)
# These ask a warehouse for its columns.
RULES_OF_COLUMNS = (
    column_names_tell_the_type,
    documented_columns_are_the_real_ones,
    personal_data_ends_in_staging,
)
