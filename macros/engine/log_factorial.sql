{# The natural logarithm of n!, for whole n from 0 on. #}
{% macro log_factorial(number) -%}
    {{ return(adapter.dispatch('log_factorial')(number)) }}
{%- endmacro %}

{% macro duckdb__log_factorial(number) -%}
    lgamma({{ number }} + 1)
{%- endmacro %}

{# Stirling's series, as Abramowitz and Stegun (1964), 6.1.41: from 21 on its error is below 1e-14. #}
{% macro spark__log_factorial(number) -%}
    {%- set n = 'cast(' ~ number ~ ' as double)' -%}
    case
        when {{ number }} <= 20 then ln(cast(factorial(cast({{ number }} as int)) as double))
        else ({{ n }} + 0.5e0) * ln({{ n }}) - {{ n }} + 9.18938533204672742e-1
            + (1e0 / 12 - (1e0 / 360 - (1e0 / 1260 - 1e0 / (1680 * {{ n }} * {{ n }})) / ({{ n }} * {{ n }})) / ({{ n }} * {{ n }})) / {{ n }}
    end
{%- endmacro %}
