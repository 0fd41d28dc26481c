"""双向转诊 Two-way referral: up to the hospital, back to the community, and followed up."""
