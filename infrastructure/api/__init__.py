"""HTTP: translates requests into commands and queries, and what came of them into replies."""
