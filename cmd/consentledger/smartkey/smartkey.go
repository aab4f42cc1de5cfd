// Package smartkey holds the policy of the app SmartKey, as a first example
// and as a sample of what policies leave open.
package smartkey

import "embed"

// Files holds policy.yaml and the text that it names.
//
//go:embed policy.yaml smartkey.en.txt
var Files embed.FS
