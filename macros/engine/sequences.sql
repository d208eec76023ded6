{# One row per word of a text; words are separated by spaces. #}
{% macro each_word(text) -%}
    {{ return(adapter.dispatch('each_word')(text)) }}
{%- endmacro %}

{% macro duckdb__each_word(text) -%}
    unnest(string_split_regex(trim({{ text }}), '\s+'))
{%- endmacro %}

{% macro spark__each_word(text) -%}
    explode(split(trim({{ text }}), r'\s+'))
{%- endmacro %}


{#
    An aggregate: events as a sequence, in the order of `columns`, each of which is a field of its items.
#}
{% macro sequence_of(columns) -%}
    {{ return(adapter.dispatch('sequence_of')(columns)) }}
{%- endmacro %}

{% macro duckdb__sequence_of(columns) -%}
    list_sort(list({{ packed(columns) }}))
{%- endmacro %}

{% macro spark__sequence_of(columns) -%}
    transform(
        array_sort(collect_list(named_struct('place', {{ nulls_last(columns) }}, 'item', {{ packed(columns) }}))),
        x -> x.item
    )
{%- endmacro %}


{#
    Of a sequence of items with event_at, kind_number and visitor_session_number those that are steps of a
    funnel, whose `masks` say by kind_number which steps (bit n-1: step n), in the funnel's order: by
    time, then by the lowest step, then by how many steps they are.
#}
{% macro steps_among(sequence, masks) -%}
    {{ return(adapter.dispatch('steps_among')(sequence, masks)) }}
{%- endmacro %}

{% macro duckdb__steps_among(sequence, masks) -%}
    list_sort([
        struct_pack(
            event_at := x.event_at,
            lowest_step := {{ masks }}[x.kind_number] & -{{ masks }}[x.kind_number],
            step_count := bit_count({{ masks }}[x.kind_number]),
            step_mask := {{ masks }}[x.kind_number],
            visitor_session_number := x.visitor_session_number
        )
        for x in {{ sequence }} if {{ masks }}[x.kind_number] > 0
    ])
{%- endmacro %}

{# has_no_session stands before the number of the session, so that NULL is behind all numbers. #}
{% macro spark__steps_among(sequence, masks) -%}
    array_sort(transform(
        filter({{ sequence }}, x -> get({{ masks }}, cast(x.kind_number as int) - 1) > 0),
        x -> named_struct(
            'event_at', x.event_at,
            'lowest_step', get({{ masks }}, cast(x.kind_number as int) - 1) & -get({{ masks }}, cast(x.kind_number as int) - 1),
            'step_count', bit_count(get({{ masks }}, cast(x.kind_number as int) - 1)),
            'step_mask', get({{ masks }}, cast(x.kind_number as int) - 1),
            'has_no_session', x.visitor_session_number is null,
            'visitor_session_number', x.visitor_session_number
        )
    ))
{%- endmacro %}


{#
    One row per entry, its time: of a sequence of items with event_at and step_mask, the first one that is
    step 1 (the lowest bit), and again the first one after `window_hours` have passed. No row without.
#}
{% macro each_entry(sequence, window_hours) -%}
    {{ return(adapter.dispatch('each_entry')(sequence, window_hours)) }}
{%- endmacro %}

{# Most units enter once: only where a step 1 comes after the first window is there something to walk. #}
{% macro duckdb__each_entry(sequence, window_hours) -%}
    {%- set starts = '[x.event_at for x in ' ~ sequence ~ ' if x.step_mask & 1 = 1]' -%}
    {%- set window = 'to_hours(' ~ window_hours ~ ')' -%}
    unnest(case
        when {{ starts }}[-1] <= {{ starts }}[1] + {{ window }} then {{ starts }}[1:1]
        when {{ starts }}[-1] is not null then list_reduce(
            [[start] for start in {{ starts }}],
            lambda entries, next: case
                when next[1] > entries[-1] + {{ window }} then entries || next else entries
            end
        )
    end)
{%- endmacro %}

{% macro spark__each_entry(sequence, window_hours) -%}
    explode(aggregate(
        filter({{ sequence }}, x -> x.step_mask & 1 = 1),
        cast(array() as array<timestamp>),
        (entries, x) -> case
            when size(entries) = 0 or x.event_at > {{ hours_later('get(entries, size(entries) - 1)', window_hours) }}
                then concat(entries, array(x.event_at))
            else entries
        end
    ))
{%- endmacro %}


{# The items of a sequence from one time to another, both included. #}
{% macro items_between(sequence, from_at, to_at) -%}
    {{ return(adapter.dispatch('items_between')(sequence, from_at, to_at)) }}
{%- endmacro %}

{% macro duckdb__items_between(sequence, from_at, to_at) -%}
    [x for x in {{ sequence }} if x.event_at >= {{ from_at }} and x.event_at <= {{ to_at }}]
{%- endmacro %}

{% macro spark__items_between(sequence, from_at, to_at) -%}
    filter({{ sequence }}, x -> x.event_at >= {{ from_at }} and x.event_at <= {{ to_at }})
{%- endmacro %}


{#
    Walks a funnel: of a sequence of items with event_at and step_mask (bit n-1: the event is step n), the
    times at which steps 1, 2, ... were reached, as a list as long as the progress was. What an event may
    be, by `mode`, ordered, strict or any: the step after those seen or, in any, the lowest one not seen
    yet; in strict, an event that is not the next step ends the walk.
#}
{% macro steps_reached(sequence, mode) -%}
    {{ return(adapter.dispatch('steps_reached')(sequence, mode)) }}
{%- endmacro %}

{#
    The state is one list of whole numbers, for speed: the mask of the steps seen (-1: the walk is over), the
    mode, then the times in microseconds. The mode is in it because DuckDB 1.5's list_reduce reads a
    column that a lambda captures from other rows when it is given an initial value (duckdb issue 25816).
    A step counts with all before it: as many as there are ones at the end of the mask. Most entries
    have events of step 1 alone, and need no walk.
#}
{% macro duckdb__steps_reached(sequence, mode) -%}
    {%- set step -%}
        (case when state[2] = 2
            then (event[1] & ~state[1]) & -(event[1] & ~state[1])
            else event[1] & (state[1] + 1)
        end)
    {%- endset -%}
    {%- set seen = '(state[1] | ' ~ step ~ ')' -%}
    case when list_max([item.step_mask for item in {{ sequence }}]) = 1 then [{{ sequence }}[1].event_at]
    else [make_timestamp(microseconds) for microseconds in list_reduce(
        [[item.step_mask, epoch_us(item.event_at)] for item in {{ sequence }}],
        lambda state, event: case
            when {{ step }} > 0 then [{{ seen }}, state[2]] || list_resize(
                state[3:], bit_count((({{ seen }} + 1) & -({{ seen }} + 1)) - 1), event[2]
            )
            when state[2] = 1 then [cast(-1 as bigint), 1] || state[3:]
            else state
        end,
        [0, cast(case {{ mode }} when 'ordered' then 0 when 'strict' then 1 else 2 end as bigint)]
    )[3:]] end
{%- endmacro %}

{# The state: the mask of the steps seen (-1: the walk is over) and the times. #}
{% macro spark__steps_reached(sequence, mode) -%}
    {%- set step -%}
        (case when {{ mode }} = 'any'
            then (event.step_mask & ~state.seen) & -(event.step_mask & ~state.seen)
            else event.step_mask & (state.seen + 1)
        end)
    {%- endset -%}
    {%- set seen = '(state.seen | ' ~ step ~ ')' -%}
    aggregate(
        {{ sequence }},
        named_struct('seen', cast(0 as bigint), 'times', cast(array() as array<timestamp>)),
        (state, event) -> case
            when {{ step }} > 0 then named_struct('seen', {{ seen }}, 'times', concat(state.times, array_repeat(
                event.event_at, cast(bit_count((({{ seen }} + 1) & -({{ seen }} + 1)) - 1) as int) - size(state.times)
            )))
            when {{ mode }} = 'strict' then named_struct('seen', cast(-1 as bigint), 'times', state.times)
            else state
        end,
        state -> state.times
    )
{%- endmacro %}


{# The item of a list at a place from 1; NULL behind its end. #}
{% macro list_item(list, place) -%}
    {{ return(adapter.dispatch('list_item')(list, place)) }}
{%- endmacro %}

{% macro duckdb__list_item(list, place) -%}
    ({{ list }})[{{ place }}]
{%- endmacro %}

{% macro spark__list_item(list, place) -%}
    get({{ list }}, cast({{ place }} as int) - 1)
{%- endmacro %}


{# An aggregate: the bits that are set in any of the values. #}
{% macro bits_of_any(mask) -%}
    {{ return(adapter.dispatch('bits_of_any')(mask)) }}
{%- endmacro %}

{% macro duckdb__bits_of_any(mask) -%}
    bit_or({{ mask }})
{%- endmacro %}

{% macro spark__bits_of_any(mask) -%}
    bit_or({{ mask }})
{%- endmacro %}


{# How many items a list has. #}
{% macro list_length(list) -%}
    {{ return(adapter.dispatch('list_length')(list)) }}
{%- endmacro %}

{% macro duckdb__list_length(list) -%}
    len({{ list }})
{%- endmacro %}

{% macro spark__list_length(list) -%}
    array_size({{ list }})
{%- endmacro %}


{# A timestamp so many hours later, whatever the clocks of the shop's zone did. #}
{% macro hours_later(timestamp, hours) -%}
    {{ return(adapter.dispatch('hours_later')(timestamp, hours)) }}
{%- endmacro %}

{% macro duckdb__hours_later(timestamp, hours) -%}
    {{ timestamp }} + to_hours({{ hours }})
{%- endmacro %}

{% macro spark__hours_later(timestamp, hours) -%}
    {{ timestamp }} + make_dt_interval(0, cast({{ hours }} as int))
{%- endmacro %}


{# An aggregate: the distinct texts in their order, joined by a separator. #}
{% macro joined_texts(text, separator) -%}
    {{ return(adapter.dispatch('joined_texts')(text, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_texts(text, separator) -%}
    array_to_string(list_sort(list_distinct(list({{ text }}))), '{{ separator }}')
{%- endmacro %}

{% macro spark__joined_texts(text, separator) -%}
    array_join(array_sort(collect_set({{ text }})), '{{ separator }}')
{%- endmacro %}


{# An aggregate: the values as a list, ordered by `order_by`, a list of columns. #}
{% macro listed(value, order_by) -%}
    {{ return(adapter.dispatch('listed')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__listed(value, order_by) -%}
    list({{ value }} order by {{ order_by | join(', ') }})
{%- endmacro %}

{% macro spark__listed(value, order_by) -%}
    transform(
        array_sort(collect_list(named_struct('place', {{ nulls_last(order_by) }}, 'value', {{ value }}))),
        x -> x.value
    )
{%- endmacro %}
