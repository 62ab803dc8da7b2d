"""A package of modules as somebody else writes them; it knows nothing of Stratal."""
