{#
    The incremental strategy of this project, `changed_rows`. A model's query gives all rows of a scope as
    they should be now (of the touched days, of the touched visitors); `incremental_predicates` say which
    rows of the table are that scope. With a `unique_key` rows that differ are replaced and equal ones
    stay; without one all of the scope are. meta.touches maps a kind of key to the column whose values
    in replaced rows, old and new, are noted as touched; of rows that differ in columns of
    meta.touched_but_for alone they are not. All of it happens in one transaction: a
    failure leaves the table and the notes as they were. (Rows with a key are no two alike, so that
    `except` finds what `except all` does, at a fraction of its cost.)
#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {% set target, key = arg_dict.target_relation, arg_dict.unique_key %}
    {% if key and key is not string %}{% set key = key | join(', ') %}{% endif %}
    {% set scope = (arg_dict.incremental_predicates or ['true']) | join(' and ') %}
    {% set columns = arg_dict.dest_columns | map(attribute='quoted') | join(', ') %}
    {% set wanted = 'select ' ~ columns ~ ' from ' ~ arg_dict.temp_relation %}
    {% set touches = config.get('meta', {}).get('touches') or {} %}
    {% if not key and not touches %}
    delete from {{ target }} where {{ scope }};
    insert into {{ target }} ({{ columns }}) {{ wanted }};
    {% else %}
    create or replace temp table rows_in_scope as
    select rowid as target_rowid, {{ columns }} from {{ target }} where {{ scope }};
    {% set in_scope = 'select ' ~ columns ~ ' from rows_in_scope' %}
    create or replace temp table rows_removed as
    {{ in_scope }}{{ ' except ' ~ wanted if key }};
    create or replace temp table rows_added as
    {{ wanted }}{{ ' except ' ~ in_scope if key }};
    {% for kind, column in touches.items() %}
    {% set changes = 'select -1 as surplus, * from rows_removed union all select 1 as surplus, * from rows_added' %}
    {{ note_touched(kind, column, rows_that_touch(changes, arg_dict.dest_columns | map(attribute='name') | list)) }};
    {% endfor %}
    delete from {{ target }} where rowid in (
        select target_rowid from rows_in_scope
        {{ 'where (' ~ key ~ ') in (select ' ~ key ~ ' from rows_removed)' if key }}
    );
    insert into {{ target }} ({{ columns }}) select * from rows_added;
    {% endif %}
    {# Temporary tables last as long as the connection, which is that of the whole build. #}
    drop table {{ arg_dict.temp_relation }}
{% endmacro %}


{#
    Those of replaced rows whose keys count as touched. `changes` is a query of them with their `surplus`: above 0
    for rows that came, below for rows that went. What nobody reads who goes by these keys (meta.touched_but_for)
    is left out, and a row that came and went with all the rest alike is none.
#}
{% macro rows_that_touch(changes, columns) -%}
    {%- set but_for = config.get('meta', {}).get('touched_but_for') -%}
    {%- if not but_for -%}{{ return(changes) }}{%- endif -%}
    {%- set compared = columns | reject('in', but_for) | join(', ') -%}
    select {{ compared }} from ({{ changes }}) as rows_changed
    group by {{ compared }}
    having sum(surplus) <> 0
{%- endmacro %}
