"""测量名称: what the ward calls the numbers that it measures."""

from typing import Final

NAMES: Final = {
    "85354-9": "血压",
    "8480-6": "收缩压",
    "8462-4": "舒张压",
    "8867-4": "心率",
    "9279-1": "呼吸",
    "8310-5": "体温",
    "29463-7": "体重",
    "8302-2": "身高",
    "8280-0": "腰围",
    "2708-6": "血氧",
    "59408-5": "血氧",
    "15074-8": "血糖",
    "76629-5": "空腹血糖",
    "39156-5": "体质指数",
}
"""LOINC code -> what the ward calls it. What stands in no table keeps the name that the sender gave."""
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
