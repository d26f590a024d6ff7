"""The parts of demo.py and demo_dit.py."""
