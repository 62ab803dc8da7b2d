"""A line from the API to the workers of its machine, for requests that can begin at once."""
