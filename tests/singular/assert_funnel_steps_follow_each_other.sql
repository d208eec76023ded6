-- A step reached before the one before it, or without it, would give rates above 100%.
with

entries as (
    select * from {{ ref('fct_funnel_entries') }}
)

select entry_id
from entries
where
    step_1_at is distinct from entry_at
    or step_1_at > closes_at
    {% for step in range(2, 11) -%}
    or step_{{ step }}_at < step_{{ step - 1 }}_at
    or step_{{ step }}_at > closes_at
    or (step_{{ step }}_at is not null and step_{{ step - 1 }}_at is null)
    {% endfor %}
