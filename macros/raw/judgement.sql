{#
    The CTEs that give each row of `rows_read` (typed_rows of `table`) a verdict: kept, duplicate (an
    exact copy of a kept row) or rejected. They end in `rows_judged`, every row, and `rows_set_aside`,
    the rows whose key comes more than once or in a rejected row: only those need a second look, and are
    unpacked and windowed. Of rows with one key but different content the first in text order is kept,
    so that the choice does not hang on the order of rows or files. `reference_breach` names a column of
    `rows_read` that says what the contract's columns alone cannot: an item of no order.
#}
{% macro judgement(table, rows_read, reference_breach='null') %}
{% set key = judged_key(table) | join(', ') %}
rows_checked as {{ inlined() }} (
    select
        *,
        coalesce(contract_breach, {{ reference_breach }}) as breach
    from {{ rows_read }}
),

keys_in_question as (
    select
        {{ key }},
        true as is_in_question
    from rows_checked
    group by {{ key }}
    having count(*) > 1 or count(breach) > 0
),

{{ rows_ranked(table) }},

rows_set_aside as (
    select
        {{ contract_columns(table) }},
        file_name,
        row_content,
        published_content,
        case
            when breach is not null then breach
            when row_identity <> kept_identity
                then 'another row has the same {{ contract_key(table) | join(', ') }} and different content'
        end as reject_reason,
        case
            when breach is not null or row_identity <> kept_identity then 'rejected'
            when copy_number > 1 then 'duplicate'
            else 'kept'
        end as verdict
    from rows_ranked
),

rows_judged as (
    select * from rows_set_aside
    union all
    select
        {{ contract_columns(table, 'rows_checked.') }},
        file_name,
        cast(null as string) as row_content, -- a plain row needs no copy of itself
        cast(null as string) as published_content,
        cast(null as string) as reject_reason,
        'kept' as verdict
    from rows_checked
    left join keys_in_question on {{ same_key(table) }}
    where keys_in_question.is_in_question is null
)
{% endmacro %}


{# The CTEs that unpack the rows in question and number the copies of each sound one. #}
{% macro rows_ranked(table) %}
{% set key = judged_key(table) | join(', ') %}
{% set copies_differ_in = raw_contract(table)
    | selectattr('config.meta.differs_between_copies', 'true') | map(attribute='name') | list %}
rows_in_question as (
    select rows_checked.*
    from rows_checked
    inner join keys_in_question on {{ same_key(table) }}
),

rows_unpacked as (
    select
        *,
        {{ row_content(table) }} as row_content,
        {{ row_content(table, for_marts=true) }} as published_content,
        {{ row_identity(table) }} as row_identity
    from rows_in_question
),

rows_ranked as (
    select
        *,
        min(row_identity) over (partition by {{ key }}, breach is null) as kept_identity,
        row_number() over (
            partition by {{ key }}, breach is null, row_identity
            order by {{ (copies_differ_in + ['row_content', 'file_name']) | join(', ') }}
        ) as copy_number
    from rows_unpacked
)
{% endmacro %}


{# Equality of the key in rows_checked and keys_in_question, NULLs equal. #}
{% macro same_key(table) -%}
    {%- for column in judged_key(table) -%}
        rows_checked.{{ column }} is not distinct from keys_in_question.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The row as it came (raw_row) as JSON; with `for_marts` without what would tell a person. #}
{% macro row_content(table, for_marts=false) -%}
    {%- set values = {} -%}
    {%- for column in raw_contract(table) -%}
        {%- set value = 'raw_row.' ~ column.name -%}
        {%- do values.update({column.name: publishable(value, column.config.meta) if for_marts else value}) -%}
    {%- endfor -%}
    {{ json_row(values) }}
{%- endmacro %}


{#
    What a row tells, as JSON: its values in their types, however they were written, but for the columns
    in which copies of one row may differ (when each arrived).
#}
{% macro row_identity(table) -%}
    {%- set values = {} -%}
    {%- for column in raw_contract(table) if not column.config.meta.differs_between_copies -%}
        {%- do values.update({column.name: column.name}) -%}
    {%- endfor -%}
    {{ json_row(values) }}
{%- endmacro %}


{# The names of a raw table's columns, as a list for a select. #}
{% macro contract_columns(table, prefix='') -%}
    {%- for column in raw_contract(table) -%}
        {{ prefix }}{{ column.name }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
