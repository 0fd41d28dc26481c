"""What hospitals are told of what has been written here: ``herald`` follows the changes, the others say what each change means to whom."""
