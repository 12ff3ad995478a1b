"""The fault matrix of failures.md A4: one test a row, and ``python -m tests.matrix``."""
