"""The API for scripts: `/api/v1`, a module a part of it."""
