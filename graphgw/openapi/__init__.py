"""What routes offer, as one OpenAPI 3.1 document."""
