{# After a build: what was read of each raw table that the shop brought, and where to look next. #}
{% macro print_load_report() %}
    {% set built = results | selectattr('node.name', 'equalto', 'agg_load_report') | selectattr('status', 'equalto', 'success') | list %}
    {% if not (execute and flags.WHICH == 'build' and built) %}{{ return('') }}{% endif %}
    {% set query %}
        select
            table_name,
            concat(
                lpad(format('{:,}', read_row_count), 13, ' '), ' read = ',
                lpad(format('{:,}', kept_row_count), 13, ' '), ' kept + ',
                lpad(format('{:,}', duplicate_row_count), 7, ' '), ' duplicate + ',
                lpad(format('{:,}', rejected_row_count), 7, ' '), ' rejected'
            )
            || case when bot_row_count > 0 then format('; {:,} of bots', bot_row_count) else '' end
            || case when unknown_columns <> '' then '; unknown columns: ' || unknown_columns else '' end
            || case when missing_columns <> '' then '; missing columns: ' || missing_columns else '' end
        from {{ built[0].node.relation_name }}
        where file_count > 0
        order by table_name
    {% endset %}
    {% do log('', info=true) %}
    {% do log('Raw tables (marts.agg_load_report; rejected rows: marts.fct_rejected_rows)', info=true) %}
    {% for row in run_query(query).rows %}
        {% do log('  %-16s %s' | format(row[0], row[1]), info=true) %}
    {% endfor %}
{% endmacro %}
