"""From a definition and answers to a result. Nothing here reads a clock or a database."""
