{#
    A mart's contract on Spark: its columns are those of the contract, and their types are made so. Spark gives sums
    and differences of decimals another precision than DuckDB, and numbers of days another size.
#}
{% macro spark__get_assert_columns_equivalent(sql) %}
    {% set found = get_column_schema_from_query(sql, config.get('sql_header', none)) | map(attribute='name') | list %}
    {% if found | sort != model.columns.keys() | sort %}
        {{ exceptions.raise_compiler_error(model.name ~ ' has the columns ' ~ found | sort | join(', ')
            ~ ' and a contract of ' ~ model.columns.keys() | sort | join(', ')) }}
    {% endif %}
{% endmacro %}

{% macro spark__get_select_subquery(sql) %}
    select
        {% for name, column in model.columns.items() %}
        cast({{ name }} as {{ column.data_type }}) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        {{ sql }}
    ) as built
{% endmacro %}
