"""Runs the dbt project around the clock: checks raw folders, publishes marts."""
