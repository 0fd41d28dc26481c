"""表单 The forms of the national rules and of the house: asked, checked, filled in beforehand, and turned into what the file knows."""
