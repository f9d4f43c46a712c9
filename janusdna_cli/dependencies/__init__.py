"""Which bases a model predicts from which others."""
