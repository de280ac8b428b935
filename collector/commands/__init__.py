"""Commands of `vitals-collector` that stand in files of their own."""
