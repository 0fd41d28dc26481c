"""What a hospital's message does to our people's files: ``event`` tells the story, the others are its chapters."""
