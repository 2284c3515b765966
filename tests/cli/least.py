"""The least settings of a shop, whose supplier signs by the generic scheme."""

SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["env:KEY"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME"]
"""
