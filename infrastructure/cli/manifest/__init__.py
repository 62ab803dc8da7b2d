"""``stratal apply``: what a file says there should be, and the steps that make it so."""
