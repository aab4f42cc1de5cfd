// Package surface is what a screen of an app shows when a person consents: its texts, its
// controls, and what each of them stands for.
package surface
