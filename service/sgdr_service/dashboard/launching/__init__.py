"""What the page "New sweep" is made of."""
