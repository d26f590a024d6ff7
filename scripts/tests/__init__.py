"""Tests of the scripts: python3 -m unittest discover --start-directory scripts --top-level-directory scripts"""
