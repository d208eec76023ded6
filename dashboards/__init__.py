"""The dashboard: a Streamlit app that reads the published marts and nothing else."""
