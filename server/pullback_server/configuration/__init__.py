"""What can be set. `settings` says what there is, `sources` where it comes from, `reference` describes it."""
