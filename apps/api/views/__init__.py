"""The scripting door: requests in, services and querysets called, JSON out."""
