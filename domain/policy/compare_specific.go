package policy

import "slices"

// CompareSpecific finds what a specific policy changes of the general one over
// which it prevails: of the purposes that both declare, and of whom their data
// go to. For every other purpose the general one goes on. Nothing of it is a
// material change of the general policy, and it takes no right away; which of
// the consents to the general one do not meet it is in Stale and Scopes.
func CompareSpecific(general, specific Document) Comparison {
	var c Comparison
	old := Document{Name: general.Name}
	for _, was := range general.Purposes {
		is, both := specific.Purpose(was.ID)
		if !both {
			continue
		}

		if was.Separate && !is.Separate {
			was.Separate = false // more was asked than is needed now
		}
		old.Purposes = append(old.Purposes, was)
	}

	declares := func(id PurposeID) bool { _, ok := specific.Purpose(id); return ok }
	for _, r := range general.Recipients {
		if slices.ContainsFunc(r.Purposes, declares) {
			old.Recipients = append(old.Recipients, r)
		}
	}

	c.purposes(old, specific)
	c.list("recipients", "", neither, titles(old.Recipients), titles(specific.Recipients))
	for i := range c.Differences {
		c.Differences[i].Material = ""
	}
	return c
}
