"""页面 the pages: a doctor's day, a coordinator's desk, the hospital window. Read, call one service, render."""
