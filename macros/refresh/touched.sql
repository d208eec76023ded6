{#
    The keys of a kind (utc_date, anonymous_id, visitor_id, ...) that this refresh has touched so far, as
    a subquery: `where visitor_id in {{ touched('visitor_id') }}`.
#}
{% macro touched(kind, data_type='string') -%}
    (select cast(key as {{ data_type }}) from raw.touched_keys where kind = '{{ kind }}')
{%- endmacro %}


{# Note keys as touched: the values of `column` in a query, and NULL for none. #}
{% macro note_touched(kind, column, query) -%}
    insert into raw.touched_keys
    select distinct '{{ kind }}', cast({{ column }} as string) from ({{ query }}) as rows_touched
    where {{ column }} is not null
{%- endmacro %}


{#
    Whether a UTC timestamp lies in a UTC day that this refresh touches; literal bounds, so that files and
    row groups of other days are not opened. For a model that is built in full: in its present slice.
#}
{% macro in_touched_days(column) -%}
    {%- if not is_incremental() -%}{{ return(in_slice_of_days(column)) }}{%- endif -%}
    {%- set days = run_query("select distinct cast(key as date) as utc_date from raw.touched_keys"
        ~ " where kind = 'utc_date' order by utc_date").columns[0].values() -%}
    {%- if not days -%}{{ return('false') }}{%- endif -%}
    {{ column }} >= timestamp '{{ days[0] }}' and {{ column }} < timestamp '{{ days[-1] + modules.datetime.timedelta(1) }}'
    and cast({{ column }} as date) in (date '{{ days | join("', date '") }}')
{%- endmacro %}


{#
    A pre-hook for a table whose rows change by time alone: note the keys of rows whose `flag`, that
    `time_column` is known by now, is no longer what as_of_date says.
#}
{% macro note_touched_by_time(flag, time_column, kind) -%}
    {% if not execute or not is_incremental() %}{{ return('') }}{% endif %}
    {{ note_touched(kind, kind, 'select ' ~ kind ~ ' from ' ~ this ~ ' where ' ~ flag ~ ' <> ('
        ~ time_column ~ ' < (select known_until_at from ' ~ ref('stg_shop__as_of') ~ '))') }}
{%- endmacro %}


{#
    A pre-hook for a table in whose rows time alone changes nothing but `flag`: those rows become what as_of_date
    says, and their `kind` of keys is noted.
#}
{% macro judge_by_time(flag, time_column, kind) -%}
    {% if not execute or not is_incremental() %}{{ return('') }}{% endif %}
    {{ return(adapter.dispatch('judge_by_time')(flag, time_column, kind)) }}
{%- endmacro %}


{#
    Note the UTC days of events that earlier refreshes knew and as_of_date does not as touched: it may go
    back by any number of days, asked to, or since a row of a day far ahead was put right.
#}
{% macro note_days_known_no_more() -%}
    {% if not has_ledger() %}{{ return('') }}{% endif %}
    {% set query -%}
        select days.utc_date
        from {{ ref('base_web__event_days') }} as days
        cross join {{ this }} as as_of
        cross join (select cast(max(loaded_until_at) as date) as to_date from raw.refreshes) as loaded
        where days.utc_date between cast(as_of.known_until_at as date) and loaded.to_date
    {%- endset %}
    {{ note_touched('utc_date', 'utc_date', query) }}
{%- endmacro %}
