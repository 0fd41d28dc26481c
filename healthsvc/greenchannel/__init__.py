"""绿色通道 Green channel: who is seen, billed and given medicine first, why, and until when; and the answer to the hospital window."""
