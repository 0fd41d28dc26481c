"""运行监测 What an operator's monitoring is told: is it alive, is it ready, how long things take and wait. Never a word about a person."""
