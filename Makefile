.PHONY: setup

# Servers and drivers that the tests and the drill use.
setup:
	lab/setup/setup.sh
