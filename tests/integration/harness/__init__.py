"""What the integration tests stand on: a daemon of their own, providers, a person, a client."""
