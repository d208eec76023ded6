{#
    The rows of a raw table in the types of the raw contract (seeds/raw/raw_<table>.yml), with
    `contract_breach`, every breach of the contract in the row as sentences (NULL: none), and `raw_row`,
    the row as it came, packed.
#}
{% macro typed_rows(table) %}
    {% set relation = ref('raw_' ~ table) %}
    {% set raw_types = raw_column_types(relation) %}
    {% set names, breaches = [], [] %}
    {% for column in raw_contract(table) %}
        {% do names.append(column.name) %}
        {% do breaches.extend(contract_breaches(column, raw_types.get(column.name, 'VARCHAR'))) %}
    {% endfor %}
    select
        {{ typed_columns(table) }},
        file_name,
        nullif(concat_ws('; ', {{ breaches | join(', ') }}), '') as contract_breach,
        {{ packed(names) }} as raw_row
    from {{ relation }}
{% endmacro %}


{# The columns of a raw table in the types of the raw contract, as a list for a select. #}
{% macro typed_columns(table) -%}
    {%- set raw_types = raw_column_types(ref('raw_' ~ table)) -%}
    {%- for column in raw_contract(table) -%}
        {{ contract_value(column, raw_types.get(column.name, 'VARCHAR')) }} as {{ column.name }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The types that the raw relation came with; a unit test's rows, which are no relation, are text. #}
{% macro raw_column_types(relation) %}
    {% set types = {} %}
    {% for column in adapter.get_columns_in_relation(relation) %}
        {% do types.update({column.name: column.dtype}) %}
    {% endfor %}
    {{ return(types) }}
{% endmacro %}


{# A column's value in its type; the names of an enumeration are lower case. #}
{% macro contract_value(column, raw_type) -%}
    {%- set value = typed_value(column.name, column.data_type, raw_type) -%}
    {{ return('lower(' ~ value ~ ')' if column.config.meta.accepted_values else value) }}
{%- endmacro %}
