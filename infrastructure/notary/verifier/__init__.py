"""Checks a log against what the notary signed, with Python's standard library and nothing of ours.

Every module here runs on Python 3.8: ``single_file`` makes one file of them for an auditor.
"""
