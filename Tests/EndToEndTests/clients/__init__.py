"""S3 clients at their real jobs, against three nodes with keys of which one is killed on the way.

`./dev test-clients` runs them, in a Python environment of their own; `./dev test` does not.
"""
