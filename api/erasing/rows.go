package erasing

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// The rows of jobs:
//
//	erasing/1/<app>/job/<id>          what was ordered, and how far it is
//	erasing/1/<app>/part/<id>/<n>     the pseudonyms of a part, after the number of ids that led to nobody
//	erasing/1/<app>/kept/<id>/<n>     who of a chunk may not be erased, and why
//	erasing/1/<app>/erased/<id>/<n>   the pseudonyms of a chunk who were erased
//	erasing/1/<app>/begun/<id>/<n>    the pseudonyms of some whom a chunk has set about; it ends with the chunk
//	erasing/1/<app>/turn/<id>         nothing: the job's changes are counted
//	erasing/1/<app>/turn/<id>/<n>     nothing: the job was changed n times
//
// Whoever changes a job takes the row of its last change away, so that of two processes that
// change what both have read one does, and the other reads the job again.
const rows = "erasing/1/"

// version is that of all rows.
const version = 1

type jobValue struct {
	V            int       `json:"v"`
	ID           string    `json:"id"`
	Of           string    `json:"of"`
	ClosedBefore int64     `json:"closed_before,omitempty"`
	Reason       string    `json:"reason"`
	By           [2]string `json:"by"`
	Evidence     string    `json:"evidence,omitempty"`
	Began        int64     `json:"began"`
	RecordedBy   string    `json:"recorded_by,omitempty"`
	Approved     string    `json:"approved,omitempty"`
	State        string    `json:"state"`
	Parts        int       `json:"parts,omitempty"`
	Persons      int64     `json:"persons,omitempty"`
	Unknown      int64     `json:"unknown,omitempty"`
	Erased       int64     `json:"erased,omitempty"`
	Already      int64     `json:"already,omitempty"`
	Kept         int64     `json:"kept,omitempty"`
	Part         int       `json:"part,omitempty"`
	After        string    `json:"after,omitempty"`
	Ended        int64     `json:"ended,omitempty"`
	Error        string    `json:"error,omitempty"`
	Changes      int64     `json:"changes,omitempty"`
}

func jobsOf(app ident.AppName) []byte { return []byte(rows + string(app) + "/job/") }
func jobKey(app ident.AppName, id string) []byte {
	return append(jobsOf(app), id...)
}
func partKey(app ident.AppName, id string, n int) []byte {
	return fmt.Appendf(nil, "%s%s/part/%s/%06d", rows, app, id, n)
}
func keptKeys(app ident.AppName, id string) []byte {
	return fmt.Appendf(nil, "%s%s/kept/%s/", rows, app, id)
}

func begunKeys(app ident.AppName, id string) []byte {
	return fmt.Appendf(nil, "%s%s/begun/%s/", rows, app, id)
}

func erasedKeys(app ident.AppName, id string) []byte {
	return fmt.Appendf(nil, "%s%s/erased/%s/", rows, app, id)
}

func turnKey(app ident.AppName, id string) []byte {
	return fmt.Appendf(nil, "%s%s/turn/%s", rows, app, id)
}

func changeKey(app ident.AppName, id string, n int64) []byte {
	return fmt.Appendf(turnKey(app, id), "/%012d", n)
}

// tries is how often a change is made anew that another process was quicker with.
const tries = 100

// write writes a job, and rows that belong to it, at once, and durably.
func (j *Jobs) write(ctx context.Context, job Job, more ...eventstore.Row) error {
	return j.change(ctx, job, eventstore.Change{Put: more})
}

// change writes a job together with what else changes, at once, and durably. If the job is not
// as it was when it was read the error wraps [eventstore.ErrCondition], and nothing is written.
func (j *Jobs) change(ctx context.Context, job Job, c eventstore.Change) error {
	v := jobValue{
		V: version, ID: job.ID, Of: job.Of, ClosedBefore: int64(job.ClosedBefore), Reason: job.Reason, By: job.By,
		Began: int64(job.Began), RecordedBy: job.RecordedBy, State: job.State, Parts: job.Parts, Persons: job.Persons,
		Unknown: job.Unknown, Erased: job.Erased, Already: job.Already, Kept: job.Kept, Part: job.Part,
		Ended: int64(job.Ended), Error: job.Error, Changes: job.changes + 1,
	}
	if job.Evidence != (content.Hash{}) {
		v.Evidence = job.Evidence.String()
	}
	if job.Approved != (content.Hash{}) {
		v.Approved = job.Approved.String()
	}
	if job.After != (vault.Pseudonym{}) {
		v.After = job.After.String()
	}

	text, err := json.Marshal(v)
	if err != nil {
		return err
	}

	counted, now := turnKey(job.App, job.ID), changeKey(job.App, job.ID, v.Changes)
	if job.changes == 0 { // it is new, or an older program wrote it
		c.Absent = append(c.Absent, counted)
		c.Put = append(c.Put, eventstore.Row{Key: counted, Value: []byte{version}})
	} else {
		last := changeKey(job.App, job.ID, job.changes)
		c.Present, c.Delete = append(c.Present, last), append(c.Delete, last)
	}
	c.Put = append(c.Put, eventstore.Row{Key: now, Value: []byte{version}},
		eventstore.Row{Key: jobKey(job.App, job.ID), Value: text})
	if err := eventstore.WriteDurably(ctx, j.Rows, c); err != nil {
		return fmt.Errorf("job %s: %w", job.ID, err)
	}
	return nil
}

func (j *Jobs) read(ctx context.Context, app ident.AppName, id string) (Job, bool, error) {
	text, has, err := j.Rows.Get(ctx, jobKey(app, id))
	if err != nil || !has {
		return Job{}, false, err
	}
	job, err := parseJob(app, text)
	if err == nil && job.changes == 0 {
		job.changes, err = j.changesOf(ctx, app, id)
	}
	return job, err == nil, err
}

// changesOf returns how often a job was changed that does not say so: an older program wrote it,
// perhaps after a newer one had.
func (j *Jobs) changesOf(ctx context.Context, app ident.AppName, id string) (n int64, err error) {
	prefix := append(turnKey(app, id), '/')
	for row, err := range j.Rows.Scan(ctx, prefix) {
		if err != nil {
			return 0, err
		}
		if n, err = strconv.ParseInt(string(row.Key[len(prefix):]), 10, 64); err != nil {
			return 0, fmt.Errorf("how often job %s was changed cannot be read: %w", id, err)
		}
	}
	return n, nil
}

func parseJob(app ident.AppName, text []byte) (job Job, err error) {
	var v jobValue
	if err := json.Unmarshal(text, &v); err != nil {
		return job, fmt.Errorf("a job of %s: %w", app, err)
	}
	if v.V != version {
		return job, fmt.Errorf("a job of %s has version %d: this program knows %d", app, v.V, version)
	}

	job = Job{
		ID: v.ID, App: app, Of: v.Of, ClosedBefore: deadline.Instant(v.ClosedBefore), Reason: v.Reason, By: v.By,
		Began: deadline.Instant(v.Began), RecordedBy: v.RecordedBy, State: v.State, Parts: v.Parts, Persons: v.Persons,
		Unknown: v.Unknown, Erased: v.Erased, Already: v.Already, Kept: v.Kept, Part: v.Part,
		Ended: deadline.Instant(v.Ended), Error: v.Error, changes: v.Changes,
	}
	if v.Evidence != "" {
		if job.Evidence, err = content.ParseNamedHash(v.Evidence); err != nil {
			return job, fmt.Errorf("job %s: %w", v.ID, err)
		}
	}
	if v.Approved != "" {
		if job.Approved, err = content.ParseNamedHash(v.Approved); err != nil {
			return job, fmt.Errorf("job %s: %w", v.ID, err)
		}
	}

	if v.After != "" {
		if job.After, err = vault.ParsePseudonym(v.After); err != nil {
			return job, fmt.Errorf("job %s: %w", v.ID, err)
		}
	}
	return job, nil
}

// List returns the jobs of an app, the newest first.
func (j *Jobs) List(ctx context.Context, app ident.AppName) (list []Job, err error) {
	for row, err := range j.Rows.Scan(ctx, jobsOf(app)) {
		if err != nil {
			return nil, err
		}
		job, err := parseJob(app, row.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, job)
	}
	slices.SortStableFunc(list, func(a, b Job) int { return int(b.Began - a.Began) })
	return list, nil
}

// open returns how many jobs of an app have not ended.
func (j *Jobs) open(ctx context.Context, app ident.AppName) (n int, err error) {
	list, err := j.List(ctx, app)
	for _, job := range list {
		if job.State == Draft || job.State == Running {
			n++
		}
	}
	return n, err
}

// first returns the job that was begun first of those that there is work for: it runs, or
// it ended while a chunk was not counted, as one of a process beside the one that has the turn.
func (j *Jobs) first(ctx context.Context) (first Job, has bool, err error) {
	begun := map[string]bool{}
	for row, err := range j.Rows.Scan(ctx, []byte(rows)) {
		if err != nil {
			return first, false, err
		}
		app, rest, _ := strings.Cut(string(row.Key[len(rows):]), "/")
		kind, rest, _ := strings.Cut(rest, "/")
		if kind == "begun" { // which comes before the job's own row
			id, _, _ := strings.Cut(rest, "/")
			begun[app+" "+id] = true
		}
		if kind != "job" {
			continue
		}
		job, err := parseJob(ident.AppName(app), row.Value)
		if err != nil {
			return first, false, err
		}
		work := job.State == Running || job.State != Draft && begun[app+" "+job.ID]
		if work && (!has || job.Began < first.Began) {
			first, has = job, true
		}
	}
	return first, has, nil
}

// A part is what was handed over at once.
type part struct {
	names   []vault.Pseudonym
	unknown int
}

// inOrder sorts pseudonyms, so that a chunk may end at one, and leaves out who is there
// twice.
func inOrder(names []vault.Pseudonym) []vault.Pseudonym {
	slices.SortFunc(names, func(a, b vault.Pseudonym) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(names)
}

// partRow is the row of a part, whose pseudonyms are in order.
func partRow(app ident.AppName, id string, n int, names []vault.Pseudonym, unknown int) eventstore.Row {
	b := binary.BigEndian.AppendUint32([]byte{version}, uint32(unknown))
	return eventstore.Row{Key: partKey(app, id, n), Value: appendNames(b, names)}
}

func (j *Jobs) readPart(ctx context.Context, app ident.AppName, id string, n int) (p part, has bool, err error) {
	b, has, err := j.Rows.Get(ctx, partKey(app, id, n))
	if err != nil || !has {
		return p, false, err
	}
	const head = 5
	names, read := namesIn(b, head)
	if !read {
		return p, false, fmt.Errorf("part %d of job %s cannot be read", n, id)
	}
	return part{names: names, unknown: int(binary.BigEndian.Uint32(b[1:]))}, true, nil
}

func appendNames(b []byte, names []vault.Pseudonym) []byte {
	for _, name := range names {
		b = append(b, name[:]...)
	}
	return b
}

// namesIn reads the pseudonyms of a row, which follow so many bytes, the first of which is
// the version.
func namesIn(b []byte, head int) (names []vault.Pseudonym, read bool) {
	const size = len(vault.Pseudonym{})
	if len(b) < head || b[0] != version || (len(b)-head)%size != 0 {
		return nil, false
	}
	for rest := b[head:]; len(rest) > 0; rest = rest[size:] {
		names = append(names, vault.Pseudonym(rest[:size]))
	}
	return names, true
}

// setAbout notes some whom a chunk is about to order to be erased. It survives a crash no
// later than their orders do.
func (j *Jobs) setAbout(ctx context.Context, job Job, r *round, some []vault.Pseudonym) error {
	row := eventstore.Row{
		Key:   fmt.Appendf(begunKeys(job.App, job.ID), "%06d/%s", r.part, some[0]),
		Value: appendNames([]byte{version}, some),
	}
	r.begun = append(r.begun, row.Key)
	return j.Rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{row}})
}

// begun returns whom an interrupted chunk had set about, each once, and the rows that say
// so.
func (j *Jobs) begun(ctx context.Context, job Job) (names []vault.Pseudonym, keys [][]byte, err error) {
	for row, err := range j.Rows.Scan(ctx, begunKeys(job.App, job.ID)) {
		if err != nil {
			return nil, nil, err
		}
		some, read := namesIn(row.Value, 1)
		if !read {
			return nil, nil, fmt.Errorf("whom job %s had set about cannot be read", job.ID)
		}
		names, keys = append(names, some...), append(keys, row.Key)
	}
	return inOrder(names), keys, nil
}

// persons yields whom a job is of, from where a round begins.
func (j *Jobs) persons(ctx context.Context, job Job, r *round) iter.Seq2[vault.Pseudonym, error] {
	if job.Of != OfIDs {
		return j.Ledger.Everybody(ctx, job.App, r.after)
	}

	return func(yield func(vault.Pseudonym, error) bool) {
		for ; r.part <= job.Parts; r.part, r.after = r.part+1, (vault.Pseudonym{}) {
			p, _, err := j.readPart(ctx, job.App, job.ID, r.part)
			if err != nil {
				yield(vault.Pseudonym{}, err)
				return
			}
			for _, name := range p.names {
				if r.after != (vault.Pseudonym{}) && slices.Compare(name[:], r.after[:]) <= 0 {
					continue
				}
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

type keptValue struct {
	V    int       `json:"v"`
	Kept []Refused `json:"kept"`
}

// rowsOf are the rows of a chunk, by where it ended: who was erased, and who may not be.
func rowsOf(app ident.AppName, id string, r round) (list []eventstore.Row) {
	if len(r.names) > 0 {
		list = append(list, eventstore.Row{
			Key:   fmt.Appendf(erasedKeys(app, id), "%06d/%s%s", r.part, r.after, r.suffix),
			Value: appendNames([]byte{version}, r.names),
		})
	}

	if len(r.rows) == 0 {
		return list
	}

	text, err := json.Marshal(keptValue{version, r.rows})
	if err != nil {
		panic("erasing: a row does not make JSON: " + err.Error())
	}

	key := fmt.Appendf(keptKeys(app, id), "%06d/%s%s", r.part, r.after, r.suffix)
	return append(list, eventstore.Row{Key: key, Value: text})
}

// erased yields whom a job erased, each once.
func (j *Jobs) erased(ctx context.Context, job Job) iter.Seq2[vault.Pseudonym, error] {
	return func(yield func(vault.Pseudonym, error) bool) {
		seen := map[vault.Pseudonym]bool{} // who was handed over twice, in two parts
		for row, err := range j.Rows.Scan(ctx, erasedKeys(job.App, job.ID)) {
			names, read := namesIn(row.Value, 1)
			if err == nil && !read {
				err = fmt.Errorf("whom job %s erased cannot be read", job.ID)
			}
			if err != nil {
				yield(vault.Pseudonym{}, err)
				return
			}
			for _, name := range names {
				if seen[name] {
					continue
				}
				seen[name] = true
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

// Kept returns who may not be erased, as far as the job is: so many at most.
func (j *Jobs) Kept(ctx context.Context, app ident.AppName, id string, most int) (list []Refused, err error) {
	for row, err := range j.Rows.Scan(ctx, keptKeys(app, id)) {
		if err != nil {
			return nil, err
		}
		var v keptValue
		if err := json.Unmarshal(row.Value, &v); err != nil || v.V != version {
			return nil, fmt.Errorf("who may not be erased by job %s cannot be read", id)
		}
		list = append(list, v.Kept...)
		if len(list) >= most {
			return list[:most], nil
		}
	}
	return list, nil
}
