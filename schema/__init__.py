"""The example graph: one subgraph for each service of a shop.

What another service answers may be null: a service that is down takes its own
fields with it, and nothing else.
"""
