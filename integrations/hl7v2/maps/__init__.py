"""What every field of a message becomes, as tables: the readers work from them, and the page and the command show them."""
