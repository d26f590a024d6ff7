"""The steps of set-up, one module each."""
