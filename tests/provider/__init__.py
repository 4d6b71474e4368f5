"""Emulated providers: one authorization server engine, with each provider's dialect as data."""
