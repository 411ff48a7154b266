"""Models that the tables lack: their shapes and sizes, read from the ``config.json`` that the Hub publishes."""
