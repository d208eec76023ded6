{#
    A table that is built from all events at once is built slice by slice, so that the memory it needs does
    not grow with history: a refresh of each part in turn, as it were. meta.slices says by what: utc_date,
    so many days that they have `events_per_slice` events; or visitor_id or customer_id, parts of all of them
    with four times as many, as each reads all events. What the engine is told of a slice are variables of its
    session; the same query without them is about all.
#}
{% macro by_slices(first, query, next=none) %}
    {% set slices = slices_of((config.get('meta') or {}).get('slices')) %}
    {% for slice in slices %}
    {% for name, value in slice.items() %}
    set variable {{ name }} = {{ value }};
    {% endfor %}
    {{ (next or first) if not loop.first else first }} (
    {{ query }}
    );
    {% endfor %}
    {% for name in slices[0] %}
    reset variable {{ name }};
    {% endfor %}
{% endmacro %}


{#
    The slices of a full build, each as the variables that tell of it; one that is all, where no events are.
    No ref: as_of_date comes from these days, and every event from as_of_date.
#}
{% macro slices_of(by) %}
    {% if not by %}{{ return([{}]) }}{% endif %}
    {% set size = var('events_per_slice') * (1 if by == 'utc_date' else 4) %}
    {% set days -%}
        select utc_date, floor((sum(event_count) over (order by utc_date) - 1) / {{ size }}) as slice
        from staging.base_web__event_days
    {%- endset %}
    {% set slices = run_query(
        'select min(utc_date), max(utc_date) from (' ~ days ~ ') as days group by slice order by slice'
    ).rows %}
    {% set found = [] %}
    {% for slice in slices %}
        {% do found.append(
            {'slice_from': "date '" ~ slice[0] ~ "'", 'slice_to': "date '" ~ slice[1] ~ "'"}
            if by == 'utc_date' else {'slice_count': slices | length, 'slice': loop.index0}
        ) %}
    {% endfor %}
    {{ return(found or [{}]) }}
{% endmacro %}


{# Whether a UTC timestamp lies in a day of the present slice; in a model that is not sliced by days: always. #}
{% macro in_slice_of_days(column) -%}
    {%- if (config.get('meta') or {}).get('slices') != 'utc_date' -%}{{ return('true') }}{%- endif -%}
    {{ return(adapter.dispatch('in_slice_of_days')(column)) }}
{%- endmacro %}

{% macro duckdb__in_slice_of_days(column) -%}
    {{ column }} >= coalesce(getvariable('slice_from'), date '0001-01-01')
    and {{ column }} < coalesce(getvariable('slice_to'), date '9999-12-30') + 1
{%- endmacro %}

{# Spark puts on disk what its memory does not hold, and builds without slices. #}
{% macro spark__in_slice_of_days(column) -%}
    true
{%- endmacro %}


{# Whether a row is of the present slice, by the hash of its visitor or customer. #}
{% macro in_slice_of_keys(column) -%}
    {{ return(adapter.dispatch('in_slice_of_keys')(column)) }}
{%- endmacro %}

{% macro duckdb__in_slice_of_keys(column) -%}
    cast(hash({{ column }}) >> 1 as bigint) % coalesce(getvariable('slice_count'), 1)
    = coalesce(getvariable('slice'), 0)
{%- endmacro %}

{% macro spark__in_slice_of_keys(column) -%}
    true
{%- endmacro %}
