package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// What follows are the members of the API's answer that says which steps are possible.
type (
	nextSteps struct {
		Steps      []nextStep `json:"steps"`
		RecordedBy string     `json:"recorded_by"`
	}
	nextStep struct {
		Type     string      `json:"type"`
		Source   string      `json:"source"`
		Fields   []nextField `json:"fields"`
		Details  bool        `json:"details"`
		Reasons  bool        `json:"reasons"`
		Evidence bool        `json:"evidence"`
	}
	nextField struct {
		Name     string   `json:"name"`
		Form     string   `json:"form"`
		Required bool     `json:"required"`
		Several  bool     `json:"several"`
		Options  []option `json:"options"`
	}
	option struct {
		Code  string `json:"code"`
		Title string `json:"title"`
	}
)

// A stepForm is the form of one step that is possible now.
type stepForm struct {
	nextStep
	Event  string
	Fields []formField
	Open   bool     // it was sent, and not taken
	Wrong  *problem // what is wrong with it as a whole
}

// A formField is one member of what a form records.
type formField struct {
	nextField
	ID     string // of the element, in the page
	Values []string
	Wrong  *problem
}

// Chosen reports whether the field has a value, for an option of its list.
func (f formField) Chosen(value string) bool { return slices.Contains(f.Values, value) }

// Value is what stands in a field without a list.
func (f formField) Value() string { return strings.Join(f.Values, ",") }

// forms returns the forms of what may be done next; none for who may not.
func (c *oneCase) forms(a *ask, many string) error {
	var next nextSteps
	err := a.getIfMay(a.of("/"+many+"/"+url.PathEscape(a.PathValue("id"))+"/next"), nil, &next)
	if isForbidden(err) {
		if a.sent != nil {
			c.Wrong = a.sent.Problem
		}
		return nil
	}
	if err != nil {
		return err
	}
	c.May, c.RecordedBy = true, next.RecordedBy
	for _, step := range next.Steps {
		c.Forms = append(c.Forms, formOf(step, a.sent))
	}

	// A step that is not possible any more has no form in which to say so.
	if s := a.sent; s != nil && !slices.ContainsFunc(c.Forms, func(f stepForm) bool { return f.Open }) {
		c.Wrong = s.Problem
	}
	return nil
}

func formOf(step nextStep, s *sent) stepForm {
	f := stepForm{nextStep: step, Event: newEvent()}
	all := slices.Clone(step.Fields)
	if step.Details {
		all = append(all, nextField{Name: "details", Form: "long", Required: step.Reasons})
	}
	all = append(all, nextField{Name: "evidence", Form: "hash", Required: step.Evidence ||
		step.Reasons && !step.Details}, nextField{Name: "time", Form: "time"})
	if step.Reasons && step.Details {
		all[len(step.Fields)].Required = false // the letter does as well
	}
	f.Open = s != nil && s.Form == step.Type
	for _, field := range all {
		x := formField{nextField: field, ID: strings.ReplaceAll(step.Type, ".", "-") + "-" + field.Name}
		if f.Open {
			x.Values = s.Values[inputName(field)]
			if said, is := strings.CutPrefix(s.Problem.Path, "data."); is && said == field.Name ||
				s.Problem.Path == field.Name {
				x.Wrong = s.Problem
			}
		}
		f.Fields = append(f.Fields, x)
	}
	if !f.Open {
		return f
	}

	// What was refused is sent again under its id: nothing is recorded under it. An id
	// under which something else is recorded is of no use any more.
	if s.Event != "" && s.Problem.Code != "id-reused" {
		f.Event = s.Event
	}
	if !slices.ContainsFunc(f.Fields, func(x formField) bool { return x.Wrong != nil }) {
		f.Wrong = s.Problem
	}
	return f
}

// Input is the name of a field in the form. Fields of data have a beginning that says so,
// and times another, since a browser writes them in its own way.
func (f formField) Input() string { return inputName(f.nextField) }

func inputName(f nextField) string {
	switch {
	case f.Name == "details", f.Name == "evidence", f.Name == "time":
		return f.Name
	case f.Form == "time":
		return "t." + f.Name
	}
	return "f." + f.Name
}

func takeRequestStep(a *ask) (string, error)  { return takeStep(a, "requests", "request") }
func takeIncidentStep(a *ask) (string, error) { return takeStep(a, "incidents", "incident") }

// takeStep records a step as the operators' event that it is. What is wrong with it is
// for the API to say.
func takeStep(a *ask, many, noun string) (string, error) {
	id := a.PathValue("id")
	data := map[string]any{noun: id}
	for name, values := range a.PostForm {
		if field, is := strings.CutPrefix(name, "f."); is && strings.Join(values, "") != "" {
			data[field] = strings.Join(values, ",")
		}
		if field, is := strings.CutPrefix(name, "t."); is && values[0] != "" {
			at, err := instantOf(values[0], "data."+field)
			if err != nil {
				return "", err
			}
			data[field] = at
		}
	}
	if words := strings.TrimSpace(a.PostFormValue("details")); words != "" {
		data["details"] = map[string]string{"reasons": words}
	}
	if hash := strings.TrimSpace(a.PostFormValue("evidence")); hash != "" {
		data["evidence"] = hash
	}
	event := map[string]any{"specversion": "1.0", "id": a.PostFormValue("event"), "source": "dashboard",
		"type": a.PostFormValue("form"), "data": data}
	if at := a.PostFormValue("time"); at != "" {
		var err error
		if event["time"], err = instantOf(at, "time"); err != nil {
			return "", err
		}
	}

	var receipt struct {
		Position string `json:"position"`
	}
	if err := a.do(http.MethodPost, a.of("/operator/events"), event, &receipt); err != nil {
		return a.propose(event, err)
	}
	return (&page{App: a.App}).Link(many+"/"+url.PathEscape(id), "done", a.PostFormValue("form"), "at",
		receipt.Position), nil
}

// instantOf reads a time as a browser's field writes it. It is meant in UTC, as all times
// of the pages are.
func instantOf(text, path string) (string, error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(time.RFC3339), nil
		}
	}
	return "", &problem{Status: http.StatusBadRequest, Code: "malformed", Path: path,
		Detail: "a time is written as in 2026-03-02T09:30"}
}
