"""How a backtest is shown: in the terminal, as one page, as charts in a notebook."""
