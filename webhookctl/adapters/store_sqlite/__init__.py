"""The store in one SQLite file."""

from webhookctl.adapters.store_sqlite.opening import SqliteStore, open_store, open_to_look

__all__ = ["SqliteStore", "open_store", "open_to_look"]
