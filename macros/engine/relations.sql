{# Build the model as a new table or view, in place of the one that there may be (materializations.sql). #}
{% macro replaced_relation(target_relation) %}
    {% set old_relation = load_cached_relation(this) %}
    {{ run_hooks(pre_hooks, inside_transaction=false) }}
    {{ run_hooks(pre_hooks) }}
    {% if old_relation is not none and old_relation.type != target_relation.type %}
        {% do adapter.drop_relation(old_relation) %}
    {% endif %}
    {% call statement('main') %}
    {{ create_table_as(false, target_relation, query_of_model())
        if target_relation.is_table else create_view_as(target_relation, query_of_model()) }}
    {% endcall %}
    {% do create_indexes(target_relation) %}
    {{ return(relation_done(target_relation)) }}
{% endmacro %}


{# Bring the rows of a refresh into the model's table, by its incremental_strategy. #}
{% macro changed_relation(target_relation) %}
    {% set wanted = make_temp_relation(target_relation) %}
    {{ run_hooks(pre_hooks, inside_transaction=false) }}
    {{ run_hooks(pre_hooks) }}
    {% do run_query(create_table_as(true, wanted, query_of_model())) %}
    {% set strategy = adapter.get_incremental_strategy_macro(
        context, config.get('incremental_strategy') or 'default'
    ) %}
    {% call statement('main') %}
    {{ strategy({
        'target_relation': target_relation,
        'temp_relation': wanted,
        'unique_key': config.get('unique_key'),
        'dest_columns': columns_after_schema_change(wanted, target_relation),
        'incremental_predicates': config.get('predicates') or config.get('incremental_predicates')
    }) }}
    {% endcall %}
    {{ return(relation_done(target_relation)) }}
{% endmacro %}


{# What follows on a model's rows; gives what a materialization returns. #}
{% macro relation_done(target_relation) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks) }}
    {% if model.language == 'python' %}{% do run_query('drop table ' ~ table_of_python()) %}{% endif %}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=false) }}
    {{ return({'relations': [target_relation]}) }}
{% endmacro %}


{# Where a model in Python leaves its rows for the moment. #}
{% macro table_of_python() %}
    {{ return(this.incorporate(path={'identifier': this.identifier ~ '__rows'}, type='table')) }}
{% endmacro %}


{# The program of a model in Python, which writes that table; what a killed build has left of it is dropped. #}
{% macro python_into_table() %}
    {% do run_query('drop table if exists ' ~ table_of_python()) %}
    {{ return(py_write_table(false, table_of_python(), compiled_code)) }}
{% endmacro %}


{# The select of the model's rows. #}
{% macro query_of_model() %}
    {{ return('select * from ' ~ table_of_python() if model.language == 'python' else compiled_code) }}
{% endmacro %}


{#
    The columns that a refresh writes, once on_schema_change has had its say: those of the table, where they are
    those of the rows that are wanted.
#}
{% macro columns_after_schema_change(wanted, target_relation) %}
    {% set columns = adapter.get_columns_in_relation(target_relation) %}
    {% set on_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') %}
    {% if on_change == 'ignore' %}{{ return(columns) }}{% endif %}
    {% set differences -%}
        (select column_name, column_type from (describe {{ wanted }})
        except select column_name, column_type from (describe {{ target_relation }}))
        union all
        (select column_name, column_type from (describe {{ target_relation }})
        except select column_name, column_type from (describe {{ wanted }}))
    {%- endset %}
    {% if not run_query(differences).rows %}{{ return(columns) }}{% endif %}
    {{ return(process_schema_changes(on_change, wanted, target_relation)) }}
{% endmacro %}


{% macro duckdb__create_view_as(relation, sql) %}
    {% if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
    create or replace view {{ relation }} as (
    {{ sql }}
    )
{% endmacro %}


{# The statement that makes a model's table, slice by slice where it has slices. What is temporary is dbt-duckdb's. #}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) %}
    {% if temporary %}{{ return(dbt.duckdb__create_table_as(temporary, relation, compiled_code, language)) }}{% endif %}
    {{ config.get('sql_header') or '' }}
    {% if config.get('contract').enforced %}
    {{ get_assert_columns_equivalent(compiled_code) }}
    create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
    {{ by_slices('insert into ' ~ relation ~ ' by name', compiled_code) }}
    {% else %}
    {{ by_slices('create or replace table ' ~ relation ~ ' as', compiled_code, 'insert into ' ~ relation ~ ' by name') }}
    {% endif %}
{% endmacro %}


{# A contract that is kept is seen in one question; of one that is not, dbt tells what it always does. #}
{% macro duckdb__get_assert_columns_equivalent(sql) %}
    {% set differences -%}
        select 1
        from (describe (
            {{ sql }}
        )) as found
        full join (describe ({{ get_empty_schema_sql(model.columns) }})) as agreed
            on lower(found.column_name) = lower(agreed.column_name) and found.column_type = agreed.column_type
        where found.column_name is null or agreed.column_name is null
    {%- endset %}
    {% if not model.columns or run_query(differences).rows %}{{ assert_columns_equivalent(sql) }}{% endif %}
{% endmacro %}
