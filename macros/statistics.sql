{#
    Distributions in plain arithmetic, for engines that have none. Each argument is written out several
    times, so it should be a column's name. tests/funnel/test_experiments.py holds them against scipy.
#}

{# A polynomial of x by Horner's scheme; `coefficients` as text, the highest power's first. #}
{% macro polynomial(x, coefficients) -%}
    {{ '(' * (coefficients | length - 1) }}{{ coefficients[0] }}
    {%- for coefficient in coefficients[1:] %}
    * {{ x }} + {{ coefficient }})
    {%- endfor %}
{%- endmacro %}


{#
    P(Z > |z|) of a standard normal Z. Hart (1968) algorithm 5666, as G. West gives it in "Better
    approximations to cumulative normal functions" (Wilmott, 2005): relative error below 1e-13 up to
    |z| = 3, below 1e-8 beyond.
#}
{% macro normal_tail(z) -%}
    {%- set size = 'abs(' ~ z ~ ')' -%}
    exp(-({{ z }}) * ({{ z }}) / 2e0) * case
        when {{ size }} < 7.07106781186547e0
            then
                {{ polynomial(size, [
                    '3.52624965998911e-2', '7.00383064443688e-1', '6.37396220353165e0', '3.3912866078383e1',
                    '1.12079291497871e2', '2.21213596169931e2', '2.20206867912376e2'
                ]) }}
                / {{ polynomial(size, [
                    '8.83883476483184e-2', '1.75566716318264e0', '1.6064177579207e1', '8.67807322029461e1',
                    '2.96564248779674e2', '6.37333633378831e2', '7.93826512519948e2', '4.40413735824752e2'
                ]) }}
        else
            3.98942280401433e-1
            / ({{ size }} + 1
            / ({{ size }} + 2
            / ({{ size }} + 3
            / ({{ size }} + 4
            / ({{ size }} + 0.65e0)))))
    end
{%- endmacro %}


{# P(Z <= z) of a standard normal Z. #}
{% macro normal_below(z) -%}
    case
        when {{ z }} < 0 then {{ normal_tail(z) }}
        else 1 - {{ normal_tail(z) }}
    end
{%- endmacro %}


{#
    The z that a standard normal stays below with probability p, 1e-10 < p < 1 - 1e-10. M. J. Wichura,
    algorithm AS 241 (Applied Statistics 37, 1988): relative error about 1e-15.
#}
{% macro normal_quantile(p) -%}
    {%- set middle = '(0.180625e0 - (' ~ p ~ ' - 0.5e0) * (' ~ p ~ ' - 0.5e0))' -%}
    {%- set outside = '(sqrt(-ln(least(' ~ p ~ ', 1 - ' ~ p ~ '))) - 1.6e0)' -%}
    case
        when abs({{ p }} - 0.5e0) <= 0.425e0
            then ({{ p }} - 0.5e0) * {{ polynomial(middle, [
                '2.5090809287301226727e3', '3.3430575583588128105e4', '6.7265770927008700853e4', '4.5921953931549871457e4',
                '1.3731693765509461125e4', '1.9715909503065514427e3', '1.3314166789178437745e2', '3.3871328727963666080e0'
            ]) }}
            / {{ polynomial(middle, [
                '5.2264952788528545610e3', '2.8729085735721942674e4', '3.9307895800092710610e4', '2.1213794301586595867e4',
                '5.3941960214247511077e3', '6.8718700749205790830e2', '4.2313330701600911252e1', '1e0'
            ]) }}
        else sign({{ p }} - 0.5e0) * {{ polynomial(outside, [
                '7.74545014278341407640e-4', '2.27238449892691845833e-2', '2.41780725177450611770e-1', '1.27045825245236838258e0',
                '3.64784832476320460504e0', '5.76949722146069140550e0', '4.63033784615654529590e0', '1.42343711074968357734e0'
            ]) }}
            / {{ polynomial(outside, [
                '1.05075007164441684324e-9', '5.47593808499534494600e-4', '1.51986665636164571966e-2', '1.48103976427480074590e-1',
                '6.89767334985100004550e-1', '1.67638483018380384940e0', '2.05319162663775882187e0', '1e0'
            ]) }}
    end
{%- endmacro %}


{#
    The z that is as far out for a normal as t is for Student's distribution. G. W. Hill, algorithm 395
    (Communications of the ACM 13, 1970): tails within 1e-6 of the exact ones from 10 degrees of freedom
    on, 1e-4 at 5.
#}
{% macro student_as_normal(t, degrees) -%}
    {%- set a = '(' ~ degrees ~ ' - 0.5e0)' -%}
    {%- set y = a ~ ' * ln(1 + ' ~ t ~ ' * ' ~ t ~ ' / ' ~ degrees ~ ')' -%}
    sign({{ t }}) * sqrt({{ y }}) * (1 + (
        3 + {{ y }}
        + {{ polynomial(y, ['-0.4e0', '-3.3e0', '-24e0', '-85.5e0']) }}
        / (100 + 0.8e0 * {{ y }} * {{ y }} + 48 * {{ a }} * {{ a }})
    ) / (48 * {{ a }} * {{ a }}))
{%- endmacro %}


{#
    The t that goes with a normal quantile z, of Student's distribution. Abramowitz and Stegun (1964),
    26.7.5: relative error at z = 1.96 below 1e-5 from 10 degrees of freedom on, 2e-4 at 5.
#}
{% macro student_quantile(z, degrees) -%}
    {%- set square = '(' ~ z ~ ' * ' ~ z ~ ')' -%}
    {{ z }} * (1 + (
        {{ polynomial(square, ['1e0', '1e0']) }} / 4
        + {{ polynomial(square, ['5e0', '16e0', '3e0']) }} / (96 * {{ degrees }})
        + {{ polynomial(square, ['3e0', '19e0', '17e0', '-15e0']) }} / (384 * {{ degrees }} * {{ degrees }})
        + {{ polynomial(square, ['79e0', '776e0', '1482e0', '-1920e0', '-945e0']) }}
        / (92160 * {{ degrees }} * {{ degrees }} * {{ degrees }})
    ) / {{ degrees }})
{%- endmacro %}


{#
    P(X > x) of a chi-square X with whole degrees of freedom, up to 30; NULL beyond. The finite sums of
    Abramowitz and Stegun (1964), 26.4.4 (odd) and 26.4.5 (even): `half` is what tells them apart.
#}
{% macro chi_square_tail(x, degrees) -%}
    {%- set half = '(0.5e0 * (' ~ degrees ~ ' % 2))' -%}
    case
        when {{ degrees }} = 1 then 2 * {{ normal_tail('sqrt(' ~ x ~ ')') }}
        when {{ degrees }} between 2 and 30
            then
                4 * {{ half }} * {{ normal_tail('sqrt(' ~ x ~ ')') }}
                + exp(-{{ x }} / 2e0)
                * case when {{ degrees }} % 2 = 1 then sqrt({{ x }}) * 7.97884560802865e-1 else 1e0 end
                * (1
                {%- for term in range(1, 15) %}
                + case when {{ degrees }} >= {{ 2 * term + 2 }} then 1e0 else 0e0 end
                * {{ x }} / (2 * ({{ half }} + {{ term }})) * (1
                {%- endfor %}
                {{- ')' * 15 }}
    end
{%- endmacro %}
