{# A query whose rows of one day are in as few files as their size allows. #}
{% macro by_day(query, day) -%}
    select /*+ rebalance({{ day }}) */ * from ({{ query }}) as rows_by_day
{%- endmacro %}


{# A table of a query's rows, by its column `day`; by nothing where that is none. #}
{% macro create_table_by_day(relation, query, day) -%}
    {% if day -%}
    create table {{ relation }} using {{ table_format() }} partitioned by ({{ day }}) as
    {{ by_day(query, day) }}
    {%- else -%}
    {{ create_table_as(false, relation, query) }}
    {%- endif %}
{%- endmacro %}


{#
    Make the rows of `target` that `predicates` name those of `query` (Spark). What differs is a table of its own
    for a while, told by surplus: rows to come count above 0, rows to go below. Without a key all rows of the scope
    count as replaced, as they do on DuckDB, and their keys are noted.
#}
{% macro change_rows(target, query, predicates, unique_key, touches, day) %}
    {% set scope = predicates | join(' and ') %}
    {% set columns = adapter.get_columns_in_relation(target) | map(attribute='name') | list %}
    {% set named = columns | join(', ') %}
    {% set wanted, changes = target ~ '__wanted', target ~ '__changes' %}
    {% do replace_table(wanted, 'select ' ~ named ~ ' from (' ~ query ~ ') as wanted') %}
    {% do replace_table(changes,
        'select ' ~ named ~ ', sum(surplus) as surplus from (select ' ~ named ~ ', 1 as surplus from ' ~ wanted
        ~ ' union all select ' ~ named ~ ', -1 as surplus from ' ~ target ~ ' where ' ~ scope
        ~ ') as compared group by ' ~ named ~ ' having sum(surplus) <> 0') %}
    {% for kind, column in touches.items() %}
        {% set rows_replaced = rows_that_touch('select * from ' ~ changes, columns) if unique_key else
            'select ' ~ column ~ ' from ' ~ wanted ~ ' union all select ' ~ column ~ ' from ' ~ target ~ ' where ' ~ scope %}
        {% do run_query(note_touched(kind, column, rows_replaced)) %}
    {% endfor %}
    {% if run_query('select 1 from ' ~ changes ~ ' limit 1').rows | length %}
        {% if table_format() == 'parquet' and day %}
            {% do overwrite_days(target, columns, wanted, changes, day) %}
        {% elif table_format() == 'parquet' %}
            {% do replace_table(target, rows_after(target, named, wanted, scope)) %}
        {% elif unique_key %}
            {% do run_query(merge_sql(target, columns, changes, unique_key)) %}
        {% else %}
            {% do run_query('insert overwrite table ' ~ target ~ ' ' ~ rows_after(target, named, wanted, scope)) %}
        {% endif %}
    {% endif %}
    {% do run_query('drop table ' ~ wanted) %}
    {% do run_query('drop table ' ~ changes) %}
{% endmacro %}


{# The format of Spark's tables: parquet; delta or iceberg where the cluster has them. #}
{% macro table_format() %}
    {{ return(env_var('CARTWRIGHT_SPARK_TABLE_FORMAT', 'parquet')) }}
{% endmacro %}


{# All rows of a table as they should be: those outside of the scope, and those wanted in it. #}
{% macro rows_after(target, named, wanted, scope) -%}
    select {{ named }} from {{ target }} where not coalesce({{ scope }}, false)
    union all
    select {{ named }} from {{ wanted }}
{%- endmacro %}


{# Overwrite those days of a table that have changes; its scope is whole days. A day without rows goes. #}
{% macro overwrite_days(target, columns, wanted, changes, day) %}
    {% set empty_days = run_query('select distinct ' ~ day ~ ' from ' ~ changes ~ ' where ' ~ day
        ~ ' not in (select ' ~ day ~ ' from ' ~ wanted ~ ')').columns[0].values() %}
    {% for empty_day in empty_days %}
        {% do run_query('alter table ' ~ target ~ ' drop if exists partition (' ~ day ~ " = date '" ~ empty_day ~ "')") %}
    {% endfor %}
    {% set of_changed_days -%}
        select {{ columns | join(', ') }} from {{ wanted }} where {{ day }} in (select {{ day }} from {{ changes }})
    {%- endset %}
    {% do run_query('insert overwrite table ' ~ target ~ ' partition (' ~ day ~ ') ' ~ by_day(of_changed_days, day)) %}
{% endmacro %}


{# One MERGE that makes the changes of a table whose rows have a key. #}
{% macro merge_sql(target, columns, changes, unique_key) -%}
    {%- set key = [unique_key] if unique_key is string else unique_key -%}
    {%- set named = columns | join(', ') -%}
    merge into {{ target }} as kept
    using (
        select {{ named }}, false as is_gone from {{ changes }} where surplus > 0
        union all
        select {{ named }}, true as is_gone from {{ changes }} as old
        where surplus < 0 and not exists (
            select 1 from {{ changes }} as new
            where new.surplus > 0
            {%- for name in key %} and new.{{ name }} = old.{{ name }}{% endfor %}
        )
    ) as changed
    on {% for name in key %}kept.{{ name }} = changed.{{ name }}{{ ' and ' if not loop.last }}{% endfor %}
    when matched and changed.is_gone then delete
    when matched then update set
        {%- for name in columns %} {{ name }} = changed.{{ name }}{{ ',' if not loop.last }}{% endfor %}
    when not matched and not changed.is_gone then insert ({{ named }})
    values ({% for name in columns %}changed.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{# The rows whose `flag` is not what as_of_date says are set, and their keys of `kind` noted (judge_by_time). #}
{% macro duckdb__judge_by_time(flag, time_column, kind) -%}
    {{ note_touched_by_time(flag, time_column, kind) }};
    update {{ this }} set {{ flag }} = not {{ flag }}
    where {{ flag }} <> ({{ time_column }} < (select known_until_at from {{ ref('stg_shop__as_of') }}))
{%- endmacro %}

{# Parquet has no rows to set: the rows of their visitors are made again, and noted where they differ. #}
{% macro spark__judge_by_time(flag, time_column, kind) -%}
    {{ note_touched_by_time(flag, time_column, 'visitor_id') }}
{%- endmacro %}
