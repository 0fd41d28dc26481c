"""The main job, shown on an invented district: people, contracts, a hospital day, a week's plan. Nothing here is used in earnest."""
