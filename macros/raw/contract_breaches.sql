{# For one column of the raw contract: a list of SQL expressions, each a sentence or NULL. #}
{% macro contract_breaches(column, raw_type) %}
    {% set name, meta = column.name, column.config.meta %}
    {% set kind = column.data_type.split('(')[0] %}
    {% set value = contract_value(column, raw_type) %}
    {% set rules = [] %}
    {% if meta.required %}
        {% do rules.append((name ~ ' is null', 'is missing', false)) %}
    {% endif %}
    {% if kind != 'string' and raw_type | upper != column.data_type | upper %}
        {% set words = {'timestamp': 'an ISO 8601 time', 'date': 'a date YYYY-MM-DD', 'bigint': 'a whole number',
            'decimal': 'a decimal number', 'boolean': 'true or false'} %}
        {% do rules.append((name ~ ' is not null and ' ~ value ~ ' is null', 'is not ' ~ words[kind], true)) %}
    {% endif %}
    {% if meta.accepted_values %}
        {% do rules.append((value ~ " not in ('" ~ meta.accepted_values | join("', '") ~ "')",
            'is none of ' ~ meta.accepted_values | join(', '), true)) %}
    {% endif %}
    {% if meta.min is defined %}
        {% do rules.append((value ~ ' < ' ~ meta.min, 'is below ' ~ meta.min, true)) %}
    {% endif %}
    {% if meta.max is defined %}
        {% do rules.append((value ~ ' > ' ~ meta.max, 'is above ' ~ meta.max, true)) %}
    {% endif %}
    {% if kind in ['timestamp', 'date'] %}
        {% set earliest = meta.earliest or var('earliest_date') %}
        {% do rules.append((value ~ " < date '" ~ earliest ~ "'", 'is before ' ~ earliest, true)) %}
        {% if not meta.may_be_future %}
            {% do rules.append((value ~ ' >= ' ~ first_future_day(), 'lies after the day of the load', true)) %}
        {% endif %}
    {% endif %}
    {{ return(rules_as_sql(name, rules, meta.personal)) }}
{% endmacro %}


{# Rules (condition, words, whether to show the value) as SQL; a personal value is never shown. #}
{% macro rules_as_sql(name, rules, is_personal) %}
    {% set sentences = [] %}
    {% for condition, words, shows_value in rules %}
        {% set sentence = sql_text(name ~ ' ' ~ words) %}
        {% if shows_value and not is_personal %}
            {% set sentence = "concat(" ~ sql_text(name ~ ' ' ~ words ~ ': ') ~ ", " ~ shown(name) ~ ")" %}
        {% endif %}
        {% do sentences.append('case when ' ~ condition ~ ' then ' ~ sentence ~ ' end') %}
    {% endfor %}
    {{ return(sentences) }}
{% endmacro %}


{#
    The first day that is the load's future: two days after it, since a shop's clock may be a day ahead
    of UTC. `load_date` is today unless set.
#}
{% macro first_future_day() -%}
    {%- set load_date = modules.datetime.date.fromisoformat(var('load_date', '') | string or run_started_at.strftime('%Y-%m-%d')) -%}
    {{ return("date '" ~ (load_date + modules.datetime.timedelta(days=2)) ~ "'") }}
{%- endmacro %}
