"""The engine is started, and loads what the first job needs, before Apply is clicked."""
