{# Before a build: stop with the faults of the variables about customers' lives, a sentence each. #}
{% macro check_customer_variables() %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return('') }}{% endif %}
    {% set faults = [] %}
    {% for name, lowest, reason in [
        ('churn_after_days', 31, 'so that nobody churns in the month of an order'),
        ('churn_value_days', 1, 'as less than a day has no value'),
        ('rfm_window_days', 1, 'or empty for all history'),
    ] %}
        {% set value = var(name) | string %}
        {% if (value or name != 'rfm_window_days') and (value | int(0) < lowest or value != value | int | string) %}
            {% do faults.append('The variable ' ~ name ~ ' is ' ~ (value or 'empty')
                ~ '; it must be a whole number, ' ~ lowest ~ ' or more, ' ~ reason ~ '.') %}
        {% endif %}
    {% endfor %}
    {% if faults %}{{ exceptions.raise_compiler_error(faults | join('\n')) }}{% endif %}
{% endmacro %}
