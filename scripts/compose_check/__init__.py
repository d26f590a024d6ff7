"""The parts of docker_check.py."""
