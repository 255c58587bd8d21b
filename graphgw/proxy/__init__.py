"""The target ``service`` of routes: requests that are sent on to HTTP services."""
