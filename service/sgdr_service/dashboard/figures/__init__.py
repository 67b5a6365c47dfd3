"""Figures of studies and schedules: pure functions from plain data to what Plotly draws."""
