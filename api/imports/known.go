package imports

import (
	"slices"
	"strings"
	"time"
)

// Known is what the ledger knows of the app's policies. Rows are held to it before
// anything is sent.
type Known struct {
	Purposes, Acts, Versions []string
	First                    time.Time // since when there is a version
	Now                      time.Time // by the clock of whoever imports
}

// clocksDiffer is how far the ledger's clock may be ahead: what is nearer it looks at itself.
const clocksDiffer = time.Hour

// check returns what the ledger would refuse, or would count for nothing.
func (k *Known) check(r row, m Mapping, a answer, data map[string]any) *Problem {
	if k == nil {
		return nil
	}

	for _, purpose := range a.purposes {
		if !slices.Contains(k.Purposes, purpose) {
			return &Problem{r.number, m.Purpose.Column, "unknown-purpose",
				"no version of a policy declares this purpose", "one of " + strings.Join(k.Purposes, ", ")}
		}
	}

	if act, said := data["act"].(string); said && !slices.Contains(k.Acts, act) {
		return &Problem{r.number, m.Act.Column, "unknown-act", "no version of a policy names this act",
			"one of " + strings.Join(k.Acts, ", ")}
	}

	version, said := data["version"].(string)
	if said && !slices.Contains(k.Versions, version) {
		return &Problem{r.number, m.Version.Column, "unknown-version", "this version was never published for the app",
			"one that consentledger policy list shows; publish the text that people saw then"}
	}

	if a.decision == "given" && a.at.After(k.Now.Add(clocksDiffer)) {
		return &Problem{r.number, m.timeOf(a).Column, "time-in-future", "the consent is from a time that is still to come",
			"a time that has been: look at the layout, as for day and month the other way round"}
	}

	if a.decision == "given" && !said && a.at.Before(k.First) {
		return &Problem{r.number, m.Time.Column, "no-version-then",
			"the consent is from before the first version of a policy, and does not say to which one it is",
			"version: the hash of the version that was shown, as in version: {constant: \"sha256:...\"}"}
	}
	return nil
}
