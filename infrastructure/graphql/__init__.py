"""Each tenant's signatures and programs as a GraphQL schema, and what is asked of it."""
