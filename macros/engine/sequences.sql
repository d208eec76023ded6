{# One row per word of a text; words are separated by spaces. #}
{% macro each_word(text) -%}
    {{ return(adapter.dispatch('each_word')(text)) }}
{%- endmacro %}

{% macro duckdb__each_word(text) -%}
    unnest(string_split_regex(trim({{ text }}), '\s+'))
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


{# The items of a sequence from one time to another, both included. #}
{% macro items_between(sequence, from_at, to_at) -%}
    {{ return(adapter.dispatch('items_between')(sequence, from_at, to_at)) }}
{%- endmacro %}

{% macro duckdb__items_between(sequence, from_at, to_at) -%}
    [x for x in {{ sequence }} if x.event_at >= {{ from_at }} and x.event_at <= {{ to_at }}]
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


{# The item of a list at a place from 1; NULL behind its end. #}
{% macro list_item(list, place) -%}
    {{ return(adapter.dispatch('list_item')(list, place)) }}
{%- endmacro %}

{% macro duckdb__list_item(list, place) -%}
    ({{ list }})[{{ place }}]
{%- endmacro %}


{# An aggregate: the bits that are set in any of the values. #}
{% macro bits_of_any(mask) -%}
    {{ return(adapter.dispatch('bits_of_any')(mask)) }}
{%- endmacro %}

{% macro duckdb__bits_of_any(mask) -%}
    bit_or({{ mask }})
{%- endmacro %}


{# How many items a list has. #}
{% macro list_length(list) -%}
    {{ return(adapter.dispatch('list_length')(list)) }}
{%- endmacro %}

{% macro duckdb__list_length(list) -%}
    len({{ list }})
{%- endmacro %}


{# A timestamp so many hours later, whatever the clocks of the shop's zone did. #}
{% macro hours_later(timestamp, hours) -%}
    {{ return(adapter.dispatch('hours_later')(timestamp, hours)) }}
{%- endmacro %}

{% macro duckdb__hours_later(timestamp, hours) -%}
    {{ timestamp }} + to_hours({{ hours }})
{%- endmacro %}


{# An aggregate: the distinct texts in their order, joined by a separator. #}
{% macro joined_texts(text, separator) -%}
    {{ return(adapter.dispatch('joined_texts')(text, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_texts(text, separator) -%}
    array_to_string(list_sort(list_distinct(list({{ text }}))), '{{ separator }}')
{%- endmacro %}


{# An aggregate: the values as a list, ordered by `order_by`, a list of columns. #}
{% macro listed(value, order_by) -%}
    {{ return(adapter.dispatch('listed')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__listed(value, order_by) -%}
    list({{ value }} order by {{ order_by | join(', ') }})
{%- endmacro %}
