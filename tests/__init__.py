"""Tests of the provider, of its emulator, and of its documentation."""
