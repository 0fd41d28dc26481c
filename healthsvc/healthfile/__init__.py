"""健康档案 The health file of a person: who it is, whom to call, what to look out for, and what has happened."""
