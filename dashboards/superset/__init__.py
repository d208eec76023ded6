"""Apache Superset over the published marts; it lives in an environment of its own."""
