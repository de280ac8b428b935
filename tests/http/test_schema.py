"""The API keeps what its OpenAPI document says, whatever is sent to it."""
