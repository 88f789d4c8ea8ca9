"""The same numbers sooner: each thing here has a plain twin, and a test that both agree."""
