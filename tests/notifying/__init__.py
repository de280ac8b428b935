"""Notifications: settings, routing, the outbox and its worker, over real receivers on loopback."""
