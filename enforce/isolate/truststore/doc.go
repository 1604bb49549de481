// Package truststore writes copies of a machine's trust stores with one more
// certificate in them, in the forms that clients read: PEM bundles, OpenSSL's
// hashed directories, Java's key stores.
//
// It must never leave anything out: a store that is replaced instead of
// extended breaks every connection that is not decrypted.
package truststore
