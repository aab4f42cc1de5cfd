package main

// Where the system has no certificates of authorities, as in a container of nothing but
// this program, those that Mozilla trusts are used. A system that has some is not asked
// less.
import _ "golang.org/x/crypto/x509roots/fallback"
