"""One module a page; each has `show(context)`, and is listed in dashboards/app.py."""
