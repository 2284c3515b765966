"""What the flows need of the world, a file each.

Times are milliseconds since 1970 (UTC) and given as arguments. Each call is one transaction.
Whatever reads or writes a store raises `StoreError`; see `webhookctl.core.errors`.
"""
