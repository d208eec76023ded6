"""What is launched, and when: docs/operations.md says what each is for."""

import dagster as dg

from orchestration.settings import refresh_cron, reporting_timezone

PAST_DAYS = dg.AssetSelection.assets("marts_of_past_days")
EVERYTHING = dg.AssetSelection.all() - PAST_DAYS

daily_refresh = dg.define_asset_job(
    "daily_refresh",
    EVERYTHING,
    description="Land, build what is new, test, judge, publish.",
)
full_rebuild = dg.define_asset_job(
    "full_rebuild",
    EVERYTHING,
    config={"ops": {"dbt_build": {"config": {"full_refresh": True}}}},
    description="The same with every table built from nothing. It is never needed for missed days.",
)
publish = dg.define_asset_job(
    "publish",
    dg.AssetSelection.assets("published_marts", "fct_build_runs", "fct_check_results"),
    description="Publish the last build, if it passed.",
)
backfill = dg.define_asset_job(
    "backfill",
    PAST_DAYS,
    description="The marts as past days knew them, a range of days in one run.",
)
every_day = dg.ScheduleDefinition(
    name="daily_refresh_schedule",
    job=daily_refresh,
    cron_schedule=refresh_cron(),
    execution_timezone=reporting_timezone(),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day, by the clock of the shop's days (CARTWRIGHT_REFRESH_CRON).",
)

defs = dg.Definitions(jobs=[daily_refresh, full_rebuild, publish, backfill], schedules=[every_day])
