package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Unknown says that a member is not known, and which ones are: those that are spelled
// most like it first. In a file the hash of a text is written as the name of its file.
func Unknown(pointer jsontext.Pointer, fields func(pointer string) []string) string {
	name := pointer.LastToken()
	return fmt.Sprintf("there is no %q here, but: %s", name,
		strings.Join(nearest(name, fields(string(pointer.Parent()))), ", "))
}

// nearest returns names with those that are most like name first; the others stay in
// their order.
func nearest(name string, names []string) []string {
	sorted := slices.Clone(names)
	near := func(n string) int {
		if d := distance(name, n); d <= max(len(n), len(name))/2 {
			return d
		}
		return 1 << 10
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(near(a), near(b)) })
	return sorted
}

// distance returns how many bytes have to be added, removed or replaced to make b of
// a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
