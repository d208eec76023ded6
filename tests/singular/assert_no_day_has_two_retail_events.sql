-- Without this a day of two events would be two days of sales in agg_seasonality.
select
    events.event,
    later_events.event as other_event,
    later_events.first_date
from {{ ref('ref_retail_events') }} as events
inner join {{ ref('ref_retail_events') }} as later_events
    on events.first_date <= later_events.first_date
    and events.last_date >= later_events.first_date
    and (events.event <> later_events.event or events.first_date <> later_events.first_date)
union all
select
    event,
    null as other_event,
    first_date
from {{ ref('ref_retail_events') }}
where first_date > last_date
