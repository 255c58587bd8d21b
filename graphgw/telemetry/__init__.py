"""What happened: events, the observer protocol, and adapters at the edge."""
