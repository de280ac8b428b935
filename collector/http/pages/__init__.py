"""The console: pages for people, rendered here; a few scripts only keep them current."""
