"""What the figures in the README come from. Each bench is a module with a `main`; `make bench` runs them all in turn."""
