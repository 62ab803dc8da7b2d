"""Side by side with bare DSPy, in one run: ratios, not seconds."""
