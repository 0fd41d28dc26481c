"""每季上门体检 The quarterly home checkup: which quarters, which windows, which form, and what a bad result asks for."""
