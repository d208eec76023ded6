{#
    Before int_experiment_devices_measured: note the devices that have sessions of touched visitors, other
    exposures than before, or outcomes that have become known, or no longer are, as as_of_date moves.
#}
{% macro note_devices_to_measure() -%}
    {% if not is_incremental() %}{{ return('') }}{% endif %}
    {% set devices -%}
        select anonymous_id from {{ ref('fct_sessions') }} where visitor_id in {{ touched('visitor_id') }}
        union all
        select key from raw.touched_keys where kind in ('anonymous_id', 'exposed_anonymous_id')
        union all
        select measured.anonymous_id from {{ this }} as measured cross join {{ ref('stg_shop__as_of') }}
        where coalesce(left_out_reason <> 'crossed', true)
        and coalesce(left_out_reason = 'immature', false) <> (outcomes_until_at > known_until_at)
    {%- endset %}
    {{ note_touched('measured_anonymous_id', 'anonymous_id', devices) }}
{%- endmacro %}
