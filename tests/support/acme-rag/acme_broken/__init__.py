"""Everything that a module should not do."""
