"""Proves that the log is as it was written: a Merkle tree, signed checkpoints, a verifier."""
