// Package mounts turns the file tree of a new mount namespace into the jail's:
// its own /proc, the run's certificate in every trust store, a resolver
// configuration that asks the jail's name server, and no way to the sockets of
// host services.
//
// It must never change a file of the host: whatever it shows instead of one
// lives in a tmpfs that ends with the jail. Nothing that can be reached may be
// left out because it could not be hidden.
package mounts
