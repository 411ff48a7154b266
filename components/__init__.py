"""The only place that creates resources: one component a file, the file named after it."""
