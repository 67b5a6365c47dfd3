"""The dashboard: pages for people, on the service's app."""
