{#
    The CTEs that give each row of `rows_read` (typed_rows of `table`) a verdict: kept, duplicate (an
    exact copy of a kept row) or rejected. They end in `rows_judged`, every row, and `rows_set_aside`,
    the rows that need a look: the rejected ones and all whose key comes more than once; only those are
    windowed. Of rows with one key but different content the first in text order is kept, so that the
    choice does not hang on the order of rows or files. `reference_breach` names a column of `rows_read`
    that says what the contract's columns alone cannot: an item of no order.
#}
{% macro judgement(table, rows_read, reference_breach='null') %}
{% set key = contract_key(table) | join(', ') %}
rows_checked as (
    select
        *,
        coalesce(contract_breach, {{ reference_breach }}) as reject_reason
    from {{ rows_read }}
),

keys_repeated as (
    select {{ key }}
    from rows_checked
    where reject_reason is null
    group by {{ key }}
    having count(*) > 1
),

rows_ranked as (
    select
        rows_checked.*,
        min(row_identity) over (partition by {{ key }}) as kept_identity,
        row_number() over (
            partition by {{ key }}, row_identity order by row_content, file_name
        ) as copy_number
    from rows_checked
    where reject_reason is null
        and exists (select 1 from keys_repeated where {{ same_key(table) }})
),

rows_set_aside as (
    select {{ judged_columns(table) }}
        reject_reason,
        'rejected' as verdict
    from rows_checked
    where reject_reason is not null
    union all
    select {{ judged_columns(table) }}
        case
            when row_identity <> kept_identity
                then 'another row has the same {{ key }} and different content'
        end as reject_reason,
        case
            when row_identity <> kept_identity then 'rejected'
            when copy_number > 1 then 'duplicate'
            else 'kept'
        end as verdict
    from rows_ranked
),

rows_judged as (
    select * from rows_set_aside
    union all
    select {{ judged_columns(table, with_content=false) }}
        reject_reason,
        'kept' as verdict
    from rows_checked
    where reject_reason is null
        and not exists (select 1 from keys_repeated where {{ same_key(table) }})
)
{% endmacro %}


{# What a judged row carries besides its reason and verdict; a plain row needs no copy of its content. #}
{% macro judged_columns(table, with_content=true) -%}
    {%- for column in raw_contract(table) %}
        {{ column.name }},
    {%- endfor %}
        file_name,
        {{ 'row_content' if with_content else 'cast(null as text) as row_content' }},
        {{ 'published_content' if with_content else 'cast(null as text) as published_content' }},
{%- endmacro %}


{# Whether a checked row has the key of a repeated one, NULLs equal. #}
{% macro same_key(table) -%}
    {%- for column in contract_key(table) -%}
        keys_repeated.{{ column }} is not distinct from rows_checked.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
