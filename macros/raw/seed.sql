{#
    A raw table is a seed with a twist: where the shop brings files of its own, they are what is
    loaded, not the demo's CSV. CSV becomes a table of text (ragged lines go to raw.malformed_lines),
    Parquet a view with its own types; both have every column of the contract and `file_name`.
    Other seeds load as dbt loads them.
#}
{% materialization seed, adapter='duckdb' %}
    {% if not model.name.startswith('raw_') %}
        {{ return(materialization_seed_default()) }}
    {% endif %}
    {% set table = model.name[4:] %}
    {% set query = "select details, folder from raw.raw_files where table_name = '" ~ table ~ "'" %}
    {% set row = run_query(query).rows[0] %}
    {% set found, folder = fromjson(row[0]), row[1] %}
    {% set is_view = found.file_format == 'parquet' %}
    {% set target_relation = this.incorporate(type='view' if is_view else 'table') %}
    {% set old_relation = load_cached_relation(this) %}

    {{ run_hooks(pre_hooks) }}
    {% if old_relation is not none and old_relation.type != target_relation.type %}
        {% do adapter.drop_relation(old_relation) %}
    {% endif %}
    {% do run_query("delete from raw.malformed_lines where table_name = '" ~ table ~ "'") %}
    {% call statement('main') %}
        create or replace {{ target_relation.type }} {{ target_relation }} as
        {{ raw_table_sql(model, found, folder) }}
    {% endcall %}
    {% if found.file_format == 'csv' %}
        {% do run_query(malformed_lines_sql(table, folder)) %}
    {% endif %}
    {# dbt's seed task wants rows, for `dbt seed --show` #}
    {% do store_result('agate_table', 'OK', run_query('select * from ' ~ target_relation ~ ' limit 20')) %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# The select that reads a raw table's files, or an empty one where there are none. #}
{% macro raw_table_sql(model, found, folder) %}
    {% for group in found.groups %}
    select
        {% for name in model.columns %}
        {{ raw_column(name, group.column_types.get(name), found.file_format) }} as {{ name }},
        {% endfor %}
        replace(cartwright_file, {{ sql_text(folder ~ '/') }}, '') as file_name
    from {{ group.reader }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        {% for name in model.columns %}
        cast(null as text) as {{ name }},
        {% endfor %}
        cast(null as text) as file_name
    where false
    {% endfor %}
{% endmacro %}


{# One column of a raw table: blank text is NULL, and so is a column that the files do not have. #}
{% macro raw_column(name, type, file_format) -%}
    {%- if type is none -%} cast(null as text)
    {%- elif file_format == 'csv' -%} nullif(trim("{{ name }}"), '')
    {%- elif type == 'VARCHAR' -%} nullif("{{ name }}", '')
    {%- else -%} "{{ name }}"
    {%- endif -%}
{%- endmacro %}


{# Move what DuckDB set aside while it read the CSV, and forget its own lists. #}
{% macro malformed_lines_sql(table, folder) %}
    insert into raw.malformed_lines
    select
        '{{ table }}',
        replace(scans.file_path, {{ sql_text(folder ~ '/') }}, ''),
        errors.line,
        {# one line has an error for each column that is missing or too many: the first one tells #}
        arg_min(lower(errors.error_type::text) || ': ' || errors.error_message, errors.column_idx),
        any_value(errors.csv_line)
    from reject_errors as errors
    inner join reject_scans as scans
        on errors.scan_id = scans.scan_id and errors.file_id = scans.file_id
    group by all;
    drop table reject_errors;
    drop table reject_scans
{% endmacro %}
