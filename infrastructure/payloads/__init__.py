"""The payload store: large and personal texts by digest, compressed, apart for each tenant."""
