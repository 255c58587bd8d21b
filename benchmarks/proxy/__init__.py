"""A proxied request through a route of the gateway, beside a proxy written by hand."""
