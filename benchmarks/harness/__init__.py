"""What all benchmark scripts share: jobs, data, networks, rivals, times and tables.

Importing this package imports nothing else: `harness.processes` measures imports.
"""
