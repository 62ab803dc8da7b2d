"""A Python that is closed to the world: no files, no network, no processes, little memory and time.

What is in here runs in a process of its own and imports nothing but the standard library.
"""
