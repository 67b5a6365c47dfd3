"""Samplers, which say which schedule a trial tries, and pruners, which say whether it goes on."""
