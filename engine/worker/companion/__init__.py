"""The companion: a long-lived process that answers the requests of the dashboard."""
