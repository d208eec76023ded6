{# After a build: what was read of each raw table that the shop brought, and where to look next. #}
{% macro print_load_report() %}
    {% set built = results | selectattr('node.name', 'equalto', 'agg_load_report') | selectattr('status', 'equalto', 'success') | list %}
    {% if not (execute and flags.WHICH == 'build' and built) %}{{ return('') }}{% endif %}
    {% set query %}
        select
            table_name, read_row_count, kept_row_count, duplicate_row_count, rejected_row_count,
            bot_row_count, unknown_columns, missing_columns
        from {{ built[0].node.relation_name }}
        where file_count > 0
        order by table_name
    {% endset %}
    {% do log('', info=true) %}
    {% do log('Raw tables (marts.agg_load_report; rejected rows: marts.fct_rejected_rows)', info=true) %}
    {% for row in run_query(query).rows %}
        {% set notes = [
            '{:>13,} read = {:>13,} kept + {:>7,} duplicate + {:>7,} rejected'.format(
                row[1] | int, row[2] | int, row[3] | int, row[4] | int
            ),
            '{:,} of bots'.format(row[5] | int) if row[5] else '',
            'unknown columns: ' ~ row[6] if row[6] else '',
            'missing columns: ' ~ row[7] if row[7] else '',
        ] %}
        {% do log('  %-16s %s' | format(row[0], notes | select | join('; ')), info=true) %}
    {% endfor %}
{% endmacro %}
