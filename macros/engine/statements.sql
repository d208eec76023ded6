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

{% macro spark__replace_table(name, query) %}
    {% do run_query("drop table if exists " ~ name) %}
    {% do run_query("create table " ~ name ~ " using parquet as " ~ query) %}
{% endmacro %}


{#
    Whether tables can be changed row by row, so that a refresh touches what differs alone. Where they cannot,
    each build makes every table anew.
#}
{% macro can_refresh() %}
    {{ return(adapter.dispatch('can_refresh')()) }}
{% endmacro %}

{% macro duckdb__can_refresh() %}
    {{ return(true) }}
{% endmacro %}

{% macro spark__can_refresh() %}
    {{ return(false) }}
{% endmacro %}


{# dbt-spark asks this of every incremental model; it knows no strategies but its own. #}
{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) %}
    {{ return(raw_strategy) }}
{% endmacro %}
