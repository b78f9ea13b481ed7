"""Rendering for the terminal: tables, messages, charts and reports, as text or in colour."""
