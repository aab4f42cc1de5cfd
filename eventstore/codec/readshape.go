package codec

import "consentledger/domain"

// scanned has the shapes that are read by hand, as those that
// are written by hand.
var scanned = map[string]func(*scan) (domain.Event, error){
	"consent.given.v2":      scanGiven,
	"consent.refused.v2":    scanRefused,
	"consent.withdrawn.v2":  scanWithdrawn,
	"permission.revoked.v1": scanRevoked,
}

// scanShape reads data by hand, and reports whether it could.
func scanShape(name string, data []byte) (domain.Event, bool) {
	read, ok := scanned[name]
	if !ok {
		return nil, false
	}
	s := scan{rest: data}
	s.must(`{`)
	e, err := read(&s)
	s.must(`}`)
	return e, err == nil && !s.bad && len(s.rest) == 0
}

// member reports whether a member comes next, and goes to its value.
func (s *scan) member(first *bool, name string) bool {
	rest := s.rest
	if (*first || s.has(`,`)) && s.has(`"`) && s.has(name) && s.has(`":`) {
		*first = false
		return true
	}
	s.rest = rest
	return false
}

// textz, intz, flagz and listz read a member that may be left out, and is if
// it is empty.
func (s *scan) textz(first *bool, name string, to *string) {
	if s.member(first, name) {
		*to = s.text()
	}
}

func (s *scan) flagz(first *bool, name string, to *bool) {
	if s.member(first, name) {
		s.must(`true`)
		*to = true
	}
}

func scanListz[S ~string](s *scan, first *bool, name string, to *[]S) {
	if !s.member(first, name) {
		return
	}
	s.must(`[`)
	list := make([]S, 0, 8)
	for more := true; more && !s.bad; more = s.has(`,`) {
		list = append(list, S(s.text()))
	}
	s.must(`]`)
	*to = list
}

func scanGiven(s *scan) (domain.Event, error) {
	var g consentGivenV2
	first := true
	s.textz(&first, "act", &g.Act)
	s.textz(&first, "build", &g.Build)
	scanListz(s, &first, "confirms", &g.Confirms)
	s.textz(&first, "control", &g.Control)
	if s.member(&first, "evidence") {
		g.Evidence = scanEvidence(s)
	}

	s.textz(&first, "guardian", &g.Guardian)
	// What is hindered is rare: who finds it reads by reflection.
	s.flagz(&first, "import", &g.Import)
	s.textz(&first, "initial", &g.Initial)
	if s.member(&first, "items") {
		g.Items = scanItems(s)
	}

	s.textz(&first, "kind", &g.Kind)
	s.textz(&first, "locale", &g.Locale)
	s.textz(&first, "notice", &g.Notice)
	s.flagz(&first, "once", &g.Once)
	s.textz(&first, "policy", &g.Policy)
	// A proof is rare: who finds one reads by reflection.
	s.textz(&first, "signer", &g.Signer)
	s.textz(&first, "surface", &g.Surface)
	s.textz(&first, "text", &g.Text)
	if s.member(&first, "until") {
		g.Until = s.int()
	}

	s.textz(&first, "version", &g.Version)
	if s.bad {
		return nil, nil
	}
	return g.event()
}

func scanEvidence(s *scan) *evidenceV1 {
	var e evidenceV1
	first := true
	s.must(`{`)
	scanListz(s, &first, "missing", &e.Missing)
	s.textz(&first, "quality", &e.Quality)
	s.must(`}`)
	return &e
}

func scanItems(s *scan) []itemV1 {
	s.must(`[`)
	items := make([]itemV1, 0, 16)
	for more := true; more && !s.bad; more = s.has(`,`) {
		var i itemV1
		s.must(`{"purpose":`)
		i.Purpose = s.text()
		if s.has(`,"short":`) {
			i.Short = s.text()
		}
		s.must(`}`)
		items = append(items, i)
	}

	s.must(`]`)
	return items
}

func scanRefused(s *scan) (domain.Event, error) {
	var r consentRefusedV2
	first := true
	s.textz(&first, "act", &r.Act)
	s.flagz(&first, "all", &r.All)
	s.textz(&first, "build", &r.Build)
	s.textz(&first, "control", &r.Control)
	s.textz(&first, "initial", &r.Initial)
	s.textz(&first, "locale", &r.Locale)
	s.textz(&first, "notice", &r.Notice)
	s.textz(&first, "policy", &r.Policy)
	scanListz(s, &first, "purposes", &r.Purposes)
	scanRests(s, &first, &r.Rests)
	s.flagz(&first, "signal", &r.Signal)
	s.textz(&first, "surface", &r.Surface)
	s.textz(&first, "version", &r.Version)
	return r.event()
}

func scanWithdrawn(s *scan) (domain.Event, error) {
	var w consentWithdrawnV2
	first := true
	s.textz(&first, "act", &w.Act)
	s.flagz(&first, "all", &w.All)
	s.textz(&first, "build", &w.Build)
	scanListz(s, &first, "purposes", &w.Purposes)
	scanRests(s, &first, &w.Rests)
	s.flagz(&first, "signal", &w.Signal)
	return w.event()
}

func scanRests(s *scan, first *bool, to *[]restV1) {
	if !s.member(first, "rests") {
		return
	}

	s.must(`[`)
	for more := true; more && !s.bad; more = s.has(`,`) {
		var x restV1
		s.must(`{"basis":`)
		x.Basis = s.text()
		s.must(`,"purpose":`)
		x.Purpose = s.text()
		s.must(`}`)
		*to = append(*to, x)
	}

	s.must(`]`)
}

func scanRevoked(s *scan) (domain.Event, error) {
	var r permissionRevokedV1
	first := true
	s.textz(&first, "permission", &r.Permission)
	scanRests(s, &first, &r.Rests)
	scanListz(s, &first, "withdraws", &r.Withdraws)
	return r.event()
}
