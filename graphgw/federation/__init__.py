"""The supergraph: its model, selections and field sets, SDL in and out, API schema."""
