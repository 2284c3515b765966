"""Where machines come in, over HTTP."""
