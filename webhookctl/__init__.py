"""webhookctl: receive, keep and deliver the webhooks of digital-goods suppliers."""

__version__ = "0.1.0"
