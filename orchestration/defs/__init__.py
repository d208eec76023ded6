"""What Dagster knows: assets, checks, jobs, schedules, sensors; each file is one concern."""
