"""考核、台账 Indicators and ledgers: figures that can always be explained, down to the people behind them."""
