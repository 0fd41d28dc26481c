"""The rules of home beds, pure: parameters, eligibility, the bed and its end, the rounds."""
