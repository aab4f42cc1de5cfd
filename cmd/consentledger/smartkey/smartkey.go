// Package smartkey holds the policy of the app SmartKey, as a first example
// and as a sample of what policies leave open.
package smartkey

import "embed"

// Files holds policy.yaml, and sharing.yaml, which is invented, with the texts
// that they name.
//
//go:embed policy.yaml smartkey.en.txt sharing.yaml sharing.en.txt
var Files embed.FS
