"""Postgres: an embedded server, pools, safety, migrations, leadership, announcements."""
