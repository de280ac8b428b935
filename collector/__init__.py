"""The collector: stores what agents send, evaluates rules over it, and keeps the alert queue."""
