"""Engines that are not DSPy in this process: processes of their own, without DSPy, scripted."""
