"""The quantities that can be wanted, one module each. `kind` says what each module gives."""
