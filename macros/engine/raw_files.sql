{# Make raw.malformed_lines, the lines of the shop's CSV that are no rows, where there is none. #}
{% macro make_malformed_lines() %}
    {{ return(adapter.dispatch('make_malformed_lines')()) }}
{% endmacro %}

{# The seeds add to it while they read. #}
{% macro duckdb__make_malformed_lines() %}
    {% do run_query("create table if not exists raw.malformed_lines"
        ~ " (table_name text, file_name text, line_number bigint, fault text, line text)") %}
{% endmacro %}

{# The step before a build has read them. #}
{% macro spark__make_malformed_lines() %}
    {% do run_query("create or replace view raw.malformed_lines as select table_name, file_name, line_number, fault, line"
        ~ " from parquet.`" ~ raw_data_folder() ~ "/malformed_lines.parquet`") %}
{% endmacro %}


{#
    Seeds on Spark: a raw table is a view on Parquet by its path, with the types that it has there; another seed is a
    table of its few rows, written as one statement (dbt-spark's own would write NULL as the text None).
#}
{% materialization seed, adapter='spark' %}
    {% set is_raw = model.name.startswith('raw_') %}
    {% set target_relation = this.incorporate(type='view' if is_raw else 'table') %}
    {% set old_relation = load_cached_relation(this) %}
    {{ run_hooks(pre_hooks) }}
    {% if old_relation is not none %}{% do adapter.drop_relation(old_relation) %}{% endif %}
    {% call statement('main') %}
        create {{ 'view ' ~ target_relation if is_raw else 'table ' ~ target_relation ~ ' using parquet' }} as
        {{ raw_view_sql(model) if is_raw else seed_rows_sql(model, load_agate_table()) }}
    {% endcall %}
    {% do store_result('agate_table', 'OK', run_query('select * from ' ~ target_relation ~ ' limit 20')) %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#
    The select that reads a raw table's Parquet, or an empty one where there is none (Spark). What was CSV has the
    name of its file; of other Parquet, blank text is NULL as in CSV.
#}
{% macro raw_view_sql(model) %}
    {% set path = fromjson(told_by_python('raw_paths')).get(model.name[4:]) %}
    {% set types = {} %}
    {% if path %}
        {% for row in run_query("describe query select * from parquet.`" ~ path ~ "`").rows %}
            {% do types.update({row[0]: row[1]}) %}
        {% endfor %}
    {% endif %}
    select
        {% for name in model.columns %}
        {% if name not in types %}cast(null as string)
        {% elif types[name] == 'string' %}nullif(`{{ name }}`, '')
        {% else %}`{{ name }}`
        {% endif %} as {{ name }},
        {% endfor %}
        {% if not path or 'file_name' in types %}
        file_name
        {% else %}
        {% set folder = run_query("select max(folder) from raw.raw_files").columns[0][0] %}
        substring_index(
            url_decode(replace(_metadata.file_path, '+', '%2B')), {{ sql_text(folder ~ '/') }}, -1
        ) as file_name
        {% endif %}
    from {{ 'parquet.`' ~ path ~ '`' if path else "(select cast(null as string) as file_name) as nothing where false" }}
{% endmacro %}


{# The rows of a seed's CSV as a select (Spark). #}
{% macro seed_rows_sql(model, table) %}
    {% set types = model.config.column_types %}
    select
        {% for name in table.column_names %}
        cast({{ name }} as {{ types.get(name, 'string') }}) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from (values
        {% for row in table.rows %}
        ({% for value in row %}{{ 'null' if value is none else sql_text(value | string) }}{{ ', ' if not loop.last }}{% endfor %}){{ ',' if not loop.last }}
        {% endfor %}
    ) as seed ({{ table.column_names | join(', ') }})
{% endmacro %}
