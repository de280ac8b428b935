"""Commands of `vitals-collector` that have a module of their own."""
