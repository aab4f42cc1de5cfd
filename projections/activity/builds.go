package activity

import (
	"consentledger/domain/ident"
)

// MostBuilds is how many builds of an app are kept by their names on a day: those that answer first.
// An app says itself which build it is, so a client that errs, or means harm, may name another one with
// each answer. An app that is on the market has some dozens of builds in use at a time; thirty days of
// two hundred that say one thing each are still read in a few milliseconds, and more are [ErrTooMany].
const MostBuilds = 200

// OtherBuilds stands for the builds of a day beyond [MostBuilds]. No build is called so: see tag.IsBuild.
const OtherBuilds = "*"

// A build is one of an app on a day.
type build struct {
	app  ident.AppName
	day  int64
	name string
}

// isNamed reports whether a build is kept by its name on a day.
func (b *batch) isNamed(x build) (named bool, err error) {
	if named, ok := b.view.builds.Get(x); ok {
		return named, nil
	}

	day := dayText(x.day)
	var so int64
	err = b.tx.Row("SELECT EXISTS (SELECT 1 FROM named WHERE app = ? AND day = ? AND build = ?), "+
		"(SELECT count(*) FROM named WHERE app = ? AND day = ?)",
		[]any{string(x.app), day, x.name, string(x.app), day}, &named, &so)
	if err == nil && !named && so < MostBuilds {
		_, err = b.tx.Exec("INSERT INTO named VALUES (?, ?, ?)", string(x.app), day, x.name)
		named = true
	}
	if err == nil {
		b.view.builds.Put(x, named)
	}
	return named, err
}
