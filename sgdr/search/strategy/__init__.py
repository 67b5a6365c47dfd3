"""Who decides: samplers say which schedule a trial tries, pruners whether it goes on."""
