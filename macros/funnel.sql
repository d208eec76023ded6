{# Before a build: stop with the faults of the funnels' definitions, a sentence each. #}
{% macro check_funnels() %}
    {% if not execute or flags.WHICH not in ['build', 'run', 'seed'] %}{{ return('') }}{% endif %}
    {% set faults = fromjson(told_by_python('inspect_funnels')) %}
    {% if faults %}
        {{ exceptions.raise_compiler_error('The funnels cannot be built:\n' ~ faults | join('\n')) }}
    {% endif %}
{% endmacro %}
