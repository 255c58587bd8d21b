"""Who is asking: tokens, API keys and addresses."""
