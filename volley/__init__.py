"""Volley: what the front door (producer) and the senders (worker) share. Serves no HTTP, the sandbox and receipts apart."""

__version__ = "0.1.0"
