"""The rules of home infusion, pure: drugs, the order and its evidence, the twelve gates, the course, the bedside."""
