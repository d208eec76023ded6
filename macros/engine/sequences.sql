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
    An aggregate: the events of a unit, each as one item that holds its time, the number of its kind and
    that of its session, which may be NULL. In no order: steps_among makes one.
#}
{% macro items_of(event_at, kind_number, session_number) -%}
    {{ return(adapter.dispatch('items_of')(event_at, kind_number, session_number)) }}
{%- endmacro %}

{#
    An item is one whole number of 128 bits, which sorts and compares several times as fast as a struct:
    microseconds from bit 72 on, the session from bit 24 on (its highest number for none), the kind below.
#}
{% macro duckdb__items_of(event_at, kind_number, session_number) -%}
    list(
        cast(epoch_us({{ event_at }}) as hugeint) * 4722366482869645213696
        + cast(coalesce({{ session_number }}, 16777215) * 16777216 + {{ kind_number }} as hugeint)
    )
{%- endmacro %}

{# An item is a struct, which sorts and compares field by field; its session is the highest number for none. #}
{% macro spark__items_of(event_at, kind_number, session_number) -%}
    collect_list(named_struct(
        'event_at', {{ event_at }},
        'kind_number', cast({{ kind_number }} as int),
        'session_number', cast(coalesce({{ session_number }}, 16777215) as int)
    ))
{%- endmacro %}


{#
    The items that are steps of a funnel, in its order: by time, then by the code of their kind. `codes` has
    a code for each kind by its number, 0 for no step. No two of them are the same.
#}
{% macro steps_among(items, codes) -%}
    {{ return(adapter.dispatch('steps_among')(items, codes)) }}
{%- endmacro %}

{# The code goes between time and session; a place in the list, where the kind was, tells two events apart. #}
{% macro duckdb__steps_among(items, codes) -%}
    {%- set kind = 'cast(item & 16777215 as bigint)' -%}
    list_sort(list_transform(
        list_filter({{ items }}, lambda item: {{ codes }}[{{ kind }}] > 0),
        lambda item, place: item + cast({{ codes }}[{{ kind }}] as hugeint) * 281474976710656
            + cast(place - {{ kind }} as hugeint)
    ))
{%- endmacro %}

{% macro spark__steps_among(items, codes) -%}
    {%- set code = 'cast(get(' ~ codes ~ ', item.kind_number - 1) as bigint)' -%}
    array_sort(transform(
        filter({{ items }}, item -> {{ code }} > 0),
        (item, place) -> named_struct(
            'event_at', item.event_at,
            'code', {{ code }},
            'session_number', item.session_number,
            'place', place
        )
    ))
{%- endmacro %}


{# Those items that may be a step: the lowest bits of an item's code say which (step n: bit n-1). #}
{% macro items_of_step(items, step) -%}
    {{ return(adapter.dispatch('items_of_step')(items, step)) }}
{%- endmacro %}

{% macro duckdb__items_of_step(items, step) -%}
    list_filter({{ items }}, lambda item: item & {{ 2 ** (47 + step) }} <> 0)
{%- endmacro %}

{% macro spark__items_of_step(items, step) -%}
    filter({{ items }}, item -> item.code & {{ 2 ** (step - 1) }} <> 0)
{%- endmacro %}


{#
    One row per entry, its item: of those that may be step 1 the first one, and again the first one after
    `window_hours` have passed. No row without.
#}
{% macro each_entry(starts, window_hours) -%}
    {{ return(adapter.dispatch('each_entry')(starts, window_hours)) }}
{%- endmacro %}

{# Most units enter once: only where a step 1 comes after the first window is there something to walk. #}
{% macro duckdb__each_entry(starts, window_hours) -%}
    {%- set window = window_hours ~ ' * 3600000000' -%}
    unnest(case
        when ({{ starts }}[-1] >> 72) <= ({{ starts }}[1] >> 72) + {{ window }} then {{ starts }}[1:1]
        when {{ starts }}[-1] is not null then list_reduce(
            [[start] for start in {{ starts }}],
            lambda entries, next: case
                when (next[1] >> 72) > (entries[-1] >> 72) + {{ window }} then entries || next else entries
            end
        )
    end)
{%- endmacro %}

{% macro spark__each_entry(starts, window_hours) -%}
    explode(aggregate(
        {{ starts }},
        slice({{ starts }}, 1, 1),
        (entries, next) -> case
            when next.event_at > {{ hours_later('element_at(entries, -1).event_at', window_hours) }}
                then concat(entries, array(next))
            else entries
        end
    ))
{%- endmacro %}


{# The lowest item there may be after a time. #}
{% macro item_after(timestamp) -%}
    {{ return(adapter.dispatch('item_after')(timestamp)) }}
{%- endmacro %}

{% macro duckdb__item_after(timestamp) -%}
    cast(epoch_us({{ timestamp }}) + 1 as hugeint) * 4722366482869645213696
{%- endmacro %}

{% macro spark__item_after(timestamp) -%}
    named_struct(
        'event_at', {{ timestamp }} + interval 1 microsecond,
        'code', cast(0 as bigint),
        'session_number', 0,
        'place', 0
    )
{%- endmacro %}


{#
    Of a funnel's items the one by which a step is reached, before the item `end`; NULL where there is none.
    `reached` are the expressions of the items of all steps before it. By `mode` it is, of those that may be
    the step: the first one after the last step (ordered), the very next item (strict), the first one after
    the entry that is no other step yet (any).
#}
{% macro item_reaching(step, items, reached, end, mode) -%}
    {{ return(adapter.dispatch('item_reaching')(step, items, reached, end, mode)) }}
{%- endmacro %}

{% macro duckdb__item_reaching(step, items, reached, end, mode) -%}
    {%- set is_step = 'item & ' ~ 2 ** (47 + step) ~ ' <> 0' -%}
    {%- set is_next = 'item > ' ~ reached[-1] ~ ' and item < ' ~ end -%}
    case {{ mode }}
        when 'strict' then list_filter(
            list_filter({{ items }}, lambda item: {{ is_next }})[1:1], lambda item: {{ is_step }}
        )[1]
        when 'any' then list_filter({{ items }}, lambda item: item > {{ reached[0] }} and item < {{ end }}
            and {{ is_step }} and item not in ({{ reached | join(', ') }})
        )[1]
        else list_filter({{ items }}, lambda item: {{ is_next }} and {{ is_step }})[1]
    end
{%- endmacro %}

{% macro spark__item_reaching(step, items, reached, end, mode) -%}
    {%- set is_step = 'item.code & ' ~ 2 ** (step - 1) ~ ' <> 0' -%}
    {%- set is_next = 'item > ' ~ reached[-1] ~ ' and item < ' ~ end -%}
    get(case {{ mode }}
        when 'strict' then filter(
            slice(filter({{ items }}, item -> {{ is_next }}), 1, 1), item -> {{ is_step }}
        )
        when 'any' then filter({{ items }}, item -> item > {{ reached[0] }} and item < {{ end }}
            and {{ is_step }} and item not in ({{ reached | join(', ') }})
        )
        else filter({{ items }}, item -> {{ is_next }} and {{ is_step }})
    end, 0)
{%- endmacro %}


{# The time of an item. #}
{% macro item_time(item) -%}
    {{ return(adapter.dispatch('item_time')(item)) }}
{%- endmacro %}

{% macro duckdb__item_time(item) -%}
    make_timestamp(cast({{ item }} >> 72 as bigint))
{%- endmacro %}

{% macro spark__item_time(item) -%}
    {{ item }}.event_at
{%- endmacro %}


{# The number of an item's session, NULL where it has none. #}
{% macro item_session_number(item) -%}
    {{ return(adapter.dispatch('item_session_number')(item)) }}
{%- endmacro %}

{% macro duckdb__item_session_number(item) -%}
    nullif(cast(({{ item }} >> 24) & 16777215 as bigint), 16777215)
{%- endmacro %}

{% macro spark__item_session_number(item) -%}
    nullif({{ item }}.session_number, 16777215)
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


{# An aggregate: the values that are not NULL as a list, in any order. #}
{% macro collected(value) -%}
    {{ return(adapter.dispatch('collected')(value)) }}
{%- endmacro %}

{% macro duckdb__collected(value) -%}
    list({{ value }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro spark__collected(value) -%}
    collect_list({{ value }})
{%- endmacro %}


{# The first `count` whole numbers from 1 that a list of such numbers does not have, as a list; NULL has none. #}
{% macro numbers_missing(list, count) -%}
    {{ return(adapter.dispatch('numbers_missing')(list, count)) }}
{%- endmacro %}

{% macro duckdb__numbers_missing(list, count) -%}
    list_filter(
        range(1, {{ count }} + 1 + coalesce(len({{ list }}), 0)),
        lambda number: not coalesce(list_contains({{ list }}, number), false)
    )[1:{{ count }}]
{%- endmacro %}

{% macro spark__numbers_missing(list, count) -%}
    {%- set numbers = 'coalesce(cast(' ~ list ~ ' as array<bigint>), cast(array() as array<bigint>))' -%}
    slice(
        array_except(sequence(cast(1 as bigint), {{ count }} + size({{ numbers }})), {{ numbers }}),
        1,
        {{ count }}
    )
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
