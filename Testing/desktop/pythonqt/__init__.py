"""PythonQt's rules played over PySide6; see ``Testing/desktop/README.md`` for what is covered."""
