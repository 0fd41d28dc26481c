"""家庭病床 Home beds: assess, establish, lay out the rounds, suspend, review, discharge; never longer than the limit."""
