//go:build !linux

package main

func wrapped() (code int, ok bool) { return 0, false }
