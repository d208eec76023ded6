{# The class of an answer to the NPS question: promoter, passive or detractor; NULL for none. #}
{% macro nps_class(score) -%}
    case
        when {{ score }} >= {{ var('nps_promoter_from') }} then 'promoter'
        when {{ score }} <= {{ var('nps_detractor_to') }} then 'detractor'
        when {{ score }} is not null then 'passive'
    end
{%- endmacro %}
