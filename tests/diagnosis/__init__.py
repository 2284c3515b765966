"""Why a signature does not match: each mistake is made and must be named."""
