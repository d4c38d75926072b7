"""The controllers, tested over a real store with a small kubelet in the test."""
