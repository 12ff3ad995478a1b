"""Tests of the admin socket and of those who ask it."""
