"""The command line, one file a subject. Each command reads its options, calls one service and shows the answer."""
