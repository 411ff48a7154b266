"""One module for each question that a reviewer asks; each answers with a ``Section``."""
