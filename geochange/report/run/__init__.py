"""The report of one run: its facts gathered, its pictures taken, its files written."""
