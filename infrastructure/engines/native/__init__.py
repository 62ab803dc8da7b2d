"""Plain programs without DSPy: what it sends is, letter for letter, what DSPy would send."""
