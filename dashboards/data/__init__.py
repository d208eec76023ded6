"""What the pages show, as functions of the published file: a query each, without Streamlit."""
