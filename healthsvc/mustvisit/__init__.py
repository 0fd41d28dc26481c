"""五必到 The five must-visits: in trouble, in hospital, at the checkup, at festivals and on the birthday somebody comes or calls."""
