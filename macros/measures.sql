{#
    Columns `dimension` and `dimension_value` of a query grouped by `dimension_sets`: which of the columns
    the row is of, and its value there (NULL: unknown); `total` and `all` of the row that is of none.
#}
{% macro dimension_of_row(columns) -%}
    case
        {%- for column, dimension in columns.items() %}
        when grouping({{ column }}) = 0 then '{{ dimension }}'
        {%- endfor %}
        else 'total'
    end as dimension,
    case
        {%- for column in columns %}
        when grouping({{ column }}) = 0 then {{ column }}
        {%- endfor %}
        else 'all'
    end as dimension_value
{%- endmacro %}


{#
    What a query groups by to have a row for all of `keys`, and one for each value of each of the columns.
    sqlfluff's DuckDB knows no grouping sets: their lines say `noqa: PRS`, or it would stop there.
#}
{% macro dimension_sets(keys, columns) -%}
    grouping sets (
        ({{ keys | join(', ') }})
        {%- for column in columns %},
        ({{ keys | join(', ') }}, {{ column }})
        {%- endfor %}
    )
{%- endmacro %}


{#
    A wide relation as rows of measures, exact to six decimals; `measures` maps a measure's code to the SQL
    expression of it. The relation has period, period_start_date, dimension and dimension_value.
#}
{% macro measure_rows(relation, measures) -%}
    {%- for measure, expression in measures.items() %}
    select
        '{{ measure }}' as measure,
        period,
        period_start_date,
        dimension,
        dimension_value,
        cast({{ expression }} as decimal(28, 6)) as measured
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
