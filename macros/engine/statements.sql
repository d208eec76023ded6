{#
    What the project's Python says to a question (inspect_raw_folder, inspect_funnels, digest_definitions), as text.
    DuckDB asks it within the build; a cluster has no Python of ours, so that a step before the build
    (python -m orchestration.spark prepare) leaves the answers with the raw data.
#}
{% macro told_by_python(question, arguments=[]) %}
    {{ return(adapter.dispatch('told_by_python')(question, arguments)) }}
{% endmacro %}

{% macro duckdb__told_by_python(question, arguments) %}
    {{ return(run_query("select " ~ question ~ "(" ~ sql_texts(arguments) ~ ")").columns[0][0]) }}
{% endmacro %}

{% macro spark__told_by_python(question, arguments) %}
    {% set answers = run_query("select value from text.`" ~ raw_data_folder() ~ "/answers.json`").columns[0][0] %}
    {{ return(fromjson(answers)[question]) }}
{% endmacro %}


{# Where the step before a build has put the raw data as Parquet (Spark). #}
{% macro raw_data_folder() %}
    {{ return(env_var('CARTWRIGHT_SPARK_RAW', env_var('PWD', '.') ~ '/warehouse/spark/raw')) }}
{% endmacro %}


{# Make a table of a select, in place of one that there may be. #}
{% macro replace_table(name, query) %}
    {{ return(adapter.dispatch('replace_table')(name, query)) }}
{% endmacro %}

{% macro duckdb__replace_table(name, query) %}
    {% do run_query("create or replace table " ~ name ~ " as " ~ query) %}
{% endmacro %}

{# The query may read the table itself. Killed between the last two, a build begins from nothing. #}
{% macro spark__replace_table(name, query) %}
    {% do run_query("drop table if exists " ~ name ~ "__new") %}
    {% do run_query("create table " ~ name ~ "__new using parquet as " ~ query) %}
    {% do run_query("drop table if exists " ~ name) %}
    {% do run_query("alter table " ~ name ~ "__new rename to " ~ name) %}
{% endmacro %}


{#
    Whether a build that was killed has left an incremental model without its table. DuckDB's transactions do not, and
    there a build of some models alone has no others.
#}
{% macro is_table_gone() %}
    {{ return(adapter.dispatch('is_table_gone')()) }}
{% endmacro %}

{% macro duckdb__is_table_gone() %}
    {{ return(false) }}
{% endmacro %}

{% macro spark__is_table_gone() %}
    {% for node in graph.nodes.values() if node.config.materialized == 'incremental' %}
        {% if adapter.get_relation(node.database, node.schema, node.alias) is none %}{{ return(true) }}{% endif %}
    {% endfor %}
    {{ return(false) }}
{% endmacro %}
