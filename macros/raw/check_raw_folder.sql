{# Before a build: inspect the raw folder, stop with its faults, or note what it holds. #}
{% macro check_raw_folder() %}
    {% if not execute or flags.WHICH not in ['build', 'seed'] %}{{ return('') }}{% endif %}
    {% set raw_path = var('raw_path', '') or env_var('CARTWRIGHT_RAW_PATH', '') %}
    {% set query %}select inspect_raw_folder('{{ raw_path | replace("'", "''") }}'){% endset %}
    {% set report = fromjson(run_query(query).columns[0][0]) %}
    {% if report.faults %}
        {{ exceptions.raise_compiler_error('The raw tables cannot be built from:\n' ~ report.faults | join('\n')) }}
    {% endif %}
    {% do run_query("create schema if not exists raw") %}
    {% do run_query("create table if not exists raw.malformed_lines"
        ~ " (table_name text, file_name text, line_number bigint, fault text, line text)") %}
    {% do run_query("create or replace table raw.raw_files (table_name text, file_format text,"
        ~ " folder text, files text, file_count bigint, missing_columns text, unknown_columns text,"
        ~ " details text, contract text)") %}
    {% for found in report.tables %}
        {% do run_query("insert into raw.raw_files values (" ~ [
            sql_text(found.table_name),
            sql_text(found.file_format),
            sql_text(report.folder),
            sql_text(found.files | join(', ')),
            found.files | length,
            sql_text(found.missing_columns | join(', ')),
            sql_text(found.unknown_columns | join(', ')),
            sql_text(tojson(found)),
            sql_text(tojson(contract_of(found.table_name))),
        ] | join(', ') ~ ")") %}
    {% endfor %}
{% endmacro %}
