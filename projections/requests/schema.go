package requests

import "consentledger/projections/readmodel"

// A duty is an obligation, as it was opened, and what of its newest row it is found,
// sorted and counted by. What is to be said of it stands in duty_rows: a row is there
// from from_position on, and not at to_position any more; the one that is there now has
// the largest number there, newest of its duty. Rows are added and end, and nothing
// else is done to them. Concerns is the request or incident whose obligation it is, or
// whose it follows from.
//
// Newest rows are counted in duty_groups, see [group], so that no report reads what it
// only counts. Those of before are found by their [fork].
//
// Cases are there from one position to another likewise. What a list holds stands in
// commas, as in ",access,copy,". Events are ids of 16 bytes. Instants are milliseconds,
// dates are days, 1 is 0001-01-01; zero is none.
//
// The views are for whoever reads with SQL: see docs/sql.md.
const schema = tables + views

// inColumns are what lies in calendars and in columns of fields.
var inColumns = []any{calendarV1{}, map[string]string{}}

var shapes = readmodel.Shapes(inColumns...)

const tables = `
CREATE TABLE duties (
	number INTEGER PRIMARY KEY,
	sort INTEGER NOT NULL, stream TEXT NOT NULL, concerns TEXT NOT NULL,
	person TEXT NOT NULL, cause_event TEXT NOT NULL, cause_stream TEXT NOT NULL,
	opened INTEGER NOT NULL, opened_position INTEGER NOT NULL,
	newest INTEGER NOT NULL, in_group INTEGER NOT NULL, from_position INTEGER NOT NULL,
	over INTEGER NOT NULL, risk INTEGER NOT NULL, day INTEGER NOT NULL, settled INTEGER NOT NULL, days INTEGER NOT NULL
);
CREATE INDEX duties_stream ON duties (stream);
CREATE INDEX duties_concern ON duties (concerns) WHERE concerns <> '';
CREATE INDEX duties_person ON duties (person) WHERE person <> '';
CREATE INDEX duties_over ON duties (in_group, over, stream);
CREATE INDEX duties_opened ON duties (in_group, opened);
CREATE TABLE duty_rows (
	number INTEGER PRIMARY KEY, duty INTEGER NOT NULL,
	from_position INTEGER NOT NULL, to_position INTEGER NOT NULL, fork INTEGER NOT NULL,
	test INTEGER NOT NULL, revision INTEGER NOT NULL, changed INTEGER NOT NULL, events BLOB NOT NULL,
	phase TEXT NOT NULL, start INTEGER NOT NULL, day_zero INTEGER NOT NULL, date INTEGER NOT NULL, day INTEGER NOT NULL,
	until INTEGER NOT NULL, over INTEGER NOT NULL, risk INTEGER NOT NULL, unit TEXT NOT NULL, time_zone TEXT NOT NULL,
	provisional INTEGER NOT NULL, gap INTEGER NOT NULL, safe INTEGER NOT NULL, tail_exposed INTEGER NOT NULL, extended INTEGER NOT NULL,
	elapsed INTEGER NOT NULL, remaining INTEGER NOT NULL, counted TEXT NOT NULL, calendars TEXT NOT NULL,
	held INTEGER NOT NULL, waits TEXT NOT NULL, stands TEXT NOT NULL, stands_since INTEGER NOT NULL, moves INTEGER NOT NULL, binding INTEGER NOT NULL, exceeds INTEGER NOT NULL,
	outcome TEXT NOT NULL, settled INTEGER NOT NULL, settled_position INTEGER NOT NULL, met INTEGER NOT NULL, claimed INTEGER NOT NULL,
	met_by TEXT NOT NULL, evidence TEXT NOT NULL, reason TEXT NOT NULL, days INTEGER NOT NULL,
	at_risk INTEGER NOT NULL, overdue INTEGER NOT NULL
);
CREATE INDEX duty_rows_duty ON duty_rows (duty);
CREATE INDEX duty_rows_from ON duty_rows (fork, from_position) WHERE fork <> 0;
CREATE INDEX duty_rows_to ON duty_rows (fork, to_position) WHERE fork <> 0;
-- obligations that stand alike, how many, and the least and greatest of what differs since the group was empty
CREATE TABLE duty_groups (
	number INTEGER PRIMARY KEY,
	sort INTEGER NOT NULL, phase TEXT NOT NULL, outcome TEXT NOT NULL, held INTEGER NOT NULL,
	provisional INTEGER NOT NULL, binding INTEGER NOT NULL, test INTEGER NOT NULL,
	due_period INTEGER NOT NULL, ended_period INTEGER NOT NULL,
	n INTEGER NOT NULL,
	over_low INTEGER NOT NULL, over_high INTEGER NOT NULL, risk_low INTEGER NOT NULL, risk_high INTEGER NOT NULL,
	day_low INTEGER NOT NULL, day_high INTEGER NOT NULL, settled_low INTEGER NOT NULL, settled_high INTEGER NOT NULL,
	opened_low INTEGER NOT NULL, opened_high INTEGER NOT NULL, from_low INTEGER NOT NULL, from_high INTEGER NOT NULL,
	changed INTEGER NOT NULL
);
CREATE UNIQUE INDEX duty_groups_key ON duty_groups (sort, due_period, ended_period, phase, outcome, held, provisional, binding, test);
CREATE INDEX duty_groups_changed ON duty_groups (changed);
-- how many of a group took so many working days
CREATE TABLE duty_counts (
	in_group INTEGER NOT NULL, days INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (in_group, days)
) WITHOUT ROWID;
-- due dates that were computed again; a row of duty_rows has the first so many of its duty
CREATE TABLE duty_moves (
	duty INTEGER NOT NULL, place INTEGER NOT NULL,
	why TEXT NOT NULL, calendar_event TEXT NOT NULL, event TEXT NOT NULL, recorded INTEGER NOT NULL,
	was INTEGER NOT NULL, was_until INTEGER NOT NULL, became INTEGER NOT NULL, became_until INTEGER NOT NULL,
	PRIMARY KEY (duty, place)
) WITHOUT ROWID;
-- what many obligations have in common, numbered as it comes
CREATE TABLE sorts (
	number INTEGER PRIMARY KEY, app TEXT NOT NULL, id TEXT NOT NULL,
	kind TEXT NOT NULL, types TEXT NOT NULL, target TEXT NOT NULL, rule TEXT NOT NULL, source TEXT NOT NULL, law INTEGER NOT NULL,
	version TEXT NOT NULL, rule_set TEXT NOT NULL, keeps TEXT NOT NULL, cause_kind TEXT NOT NULL, clock TEXT NOT NULL, month TEXT NOT NULL
);
-- requests and incidents
CREATE TABLE cases (
	app TEXT NOT NULL, noun TEXT NOT NULL, id TEXT NOT NULL,
	from_position INTEGER NOT NULL, to_position INTEGER NOT NULL,
	begun INTEGER NOT NULL, person TEXT NOT NULL, test INTEGER NOT NULL, types TEXT NOT NULL,
	policy TEXT NOT NULL, version TEXT NOT NULL, channel TEXT NOT NULL, authenticated INTEGER NOT NULL, purposes TEXT NOT NULL, unpromised TEXT NOT NULL,
	document TEXT NOT NULL, cause TEXT NOT NULL, at INTEGER NOT NULL, recorded INTEGER NOT NULL, event TEXT NOT NULL,
	state TEXT NOT NULL, closed INTEGER NOT NULL, marks TEXT NOT NULL, done TEXT NOT NULL, changed INTEGER NOT NULL,
	PRIMARY KEY (app, noun, id, from_position)
);
CREATE INDEX cases_begun ON cases (app, noun, begun, from_position, to_position);
CREATE INDEX cases_state ON cases (app, noun, state, begun) WHERE to_position = ` + now + `;
CREATE INDEX cases_person ON cases (app, person, noun, begun) WHERE person <> '';
-- fields: a JSON object, since every kind of step has others; amount and codes: what a fee is, and the grounds of a no
CREATE TABLE steps (
	app TEXT NOT NULL, noun TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL,
	kind TEXT NOT NULL, person TEXT NOT NULL, amount TEXT NOT NULL, codes TEXT NOT NULL,
	event TEXT NOT NULL, at INTEGER NOT NULL, recorded INTEGER NOT NULL, actor TEXT NOT NULL, recorded_by TEXT NOT NULL,
	fields TEXT NOT NULL, evidence TEXT NOT NULL, details INTEGER NOT NULL,
	PRIMARY KEY (app, noun, id, position)
) WITHOUT ROWID;
CREATE INDEX steps_amount ON steps (app, kind, amount, person, position) WHERE amount <> '';
CREATE INDEX steps_codes ON steps (app, codes, person, position) WHERE codes <> '';
-- the marks of tests, from one position up to the one that voids it
CREATE TABLE tests (
	app TEXT NOT NULL, person TEXT NOT NULL, event TEXT NOT NULL,
	position INTEGER NOT NULL, ended INTEGER NOT NULL,
	PRIMARY KEY (app, person, event)
) WITHOUT ROWID;
-- what was deleted, and whose time to be kept was over; fields: a JSON object
CREATE TABLE deletion_notes (
	app TEXT NOT NULL, position INTEGER NOT NULL,
	kind TEXT NOT NULL, person TEXT NOT NULL, event TEXT NOT NULL, recorded INTEGER NOT NULL, fields TEXT NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
-- calendar: a calendarV1
CREATE TABLE calendars (
	position INTEGER PRIMARY KEY, app TEXT NOT NULL, recorded INTEGER NOT NULL, calendar TEXT NOT NULL
);
-- the places whose days are counted: a time zone, a space, a jurisdiction
CREATE TABLE clocks (
	app TEXT NOT NULL, clock TEXT NOT NULL,
	PRIMARY KEY (app, clock)
) WITHOUT ROWID;
-- answers "you may", and opt-outs that came later than they were said and follow an answer about a moment in between
CREATE TABLE answers (
	app TEXT NOT NULL, person TEXT NOT NULL, position INTEGER NOT NULL,
	purpose TEXT NOT NULL, valid INTEGER NOT NULL, recorded INTEGER NOT NULL, event TEXT NOT NULL,
	PRIMARY KEY (app, person, position)
) WITHOUT ROWID;
CREATE TABLE late (
	app TEXT NOT NULL, person TEXT NOT NULL, position INTEGER NOT NULL,
	at INTEGER NOT NULL, recorded INTEGER NOT NULL, purposes TEXT NOT NULL, event TEXT NOT NULL,
	PRIMARY KEY (app, position)
) WITHOUT ROWID;
CREATE TABLE apps (
	app TEXT NOT NULL PRIMARY KEY, jurisdiction TEXT NOT NULL
) WITHOUT ROWID;
`

// now is the to_position of the rows that are there now.
const now = "9223372036854775807"

// views judge what is open at the moment of the question, as
// [circumstances.at] does.
const views = `
CREATE VIEW obligation_history AS
	SELECT s.app, d.stream, s.id, nullif(d.person, '') AS person, r.test,
		s.kind, nullif(s.types, '') AS types, nullif(s.target, '') AS target, s.rule, nullif(s.source, '') AS source,
		CASE WHEN s.law <> 0 THEN 'law' ELSE 'promise' END AS basis, nullif(s.version, '') AS version, nullif(s.rule_set, '') AS rule_set, nullif(s.keeps, '') AS keeps,
		nullif(s.cause_kind, '') AS cause_kind, nullif(d.cause_event, '') AS cause_event, nullif(d.cause_stream, '') AS cause_stream,
		CASE
			WHEN r.settled <> 0 AND r.settled <= ` + present + ` THEN r.outcome
			WHEN r.phase = 'not_started' THEN 'not-started'
			WHEN r.phase = 'suspended' THEN CASE WHEN r.held <> 0 THEN 'held' ELSE 'paused' END
			WHEN s.kind = 'keep' THEN 'open'
			WHEN r.over <= ` + present + ` THEN 'overdue'
			WHEN r.risk <= ` + present + ` THEN 'at-risk'
			ELSE 'open'
		END AS state,
		d.opened, nullif(r.start, 0) AS start,
		date(nullif(r.day_zero, 0) + 1721424.5) AS day_zero, date(nullif(r.date, 0) + 1721424.5) AS due_date, nullif(r.until, 0) AS due,
		nullif(r.risk, ` + now + `) AS risk_from, nullif(r.over, ` + now + `) AS overdue_from, r.unit, r.time_zone,
		r.provisional, date(nullif(r.gap, 0) + 1721424.5) AS gap, date(nullif(r.safe, 0) + 1721424.5) AS safe_target, r.tail_exposed, r.extended,
		CASE WHEN r.counted <> '' THEN r.elapsed END AS elapsed, CASE WHEN r.counted <> '' THEN r.remaining END AS remaining, nullif(r.counted, '') AS counted,
		nullif(r.calendars, '') AS calendars, nullif(r.waits, '') AS waits_for, nullif(r.stands, '') AS paused_for, nullif(r.stands_since, 0) AS paused_since, r.moves,
		r.binding, r.exceeds AS exceeds_law,
		nullif(r.met, 0) AS met_at, nullif(r.claimed, 0) AS claimed_at, nullif(r.met_by, '') AS met_by, nullif(r.evidence, '') AS evidence,
		CASE WHEN r.days >= 0 THEN r.days END AS working_days, nullif(r.reason, '') AS void_reason,
		nullif(r.at_risk, 0) AS at_risk_recorded, nullif(r.overdue, 0) AS overdue_recorded, r.changed, r.revision,
		lower(substr(hex(r.events), 1, 8) || '-' || substr(hex(r.events), 9, 4) || '-' || substr(hex(r.events), 13, 4) || '-' ||
			substr(hex(r.events), 17, 4) || '-' || substr(hex(r.events), 21, 12)) AS event,
		length(r.events) / 16 AS events, d.opened_position, r.from_position, nullif(r.to_position, ` + now + `) AS to_position
	FROM duty_rows r CROSS JOIN duties d ON d.number = r.duty CROSS JOIN sorts s ON s.number = d.sort;
CREATE VIEW obligations AS SELECT * FROM obligation_history WHERE to_position IS NULL;
CREATE VIEW obligation_moves AS
	SELECT s.app, d.stream, s.id, nullif(d.person, '') AS person, m.place, m.why, nullif(m.calendar_event, '') AS calendar_event, m.event, m.recorded,
		date(nullif(m.was, 0) + 1721424.5) AS was_date, nullif(m.was_until, 0) AS was_due,
		date(nullif(m.became, 0) + 1721424.5) AS due_date, nullif(m.became_until, 0) AS due
	FROM duty_moves m CROSS JOIN duties d ON d.number = m.duty CROSS JOIN sorts s ON s.number = d.sort;
CREATE VIEW requests AS
	SELECT app, 'request-' || app || '-' || id AS stream, id, person, test, types, state, channel,
		policy, version, authenticated, nullif(purposes, '') AS purposes, nullif(unpromised, '') AS unpromised,
		nullif(document, '') AS document, nullif(cause, '') AS cause, at, recorded, nullif(closed, 0) AS closed,
		nullif(marks, '') AS marks, nullif(done, '') AS done, changed, event, begun AS position, from_position AS updated_position
	FROM cases WHERE noun = 'request' AND to_position = ` + now + `;
CREATE VIEW incidents AS
	SELECT app, 'incident-' || app || '-' || id AS stream, id, state, at, recorded, nullif(closed, 0) AS closed, nullif(marks, '') AS marks, changed, event,
		begun AS position, from_position AS updated_position
	FROM cases WHERE noun = 'incident' AND to_position = ` + now + `;
CREATE VIEW case_steps AS
	SELECT app, noun || '-' || app || '-' || id AS stream, noun, id, position, kind, nullif(person, '') AS person, at, recorded, actor, recorded_by,
		nullif(fields, '') AS fields, nullif(amount, '') AS amount, nullif(codes, '') AS codes, nullif(evidence, '') AS evidence, details, event
	FROM steps;
CREATE VIEW deletions AS
	SELECT n.app, n.position, n.kind, nullif(n.person, '') AS person,
		CASE WHEN EXISTS (SELECT 1 FROM tests t WHERE t.app = n.app AND t.person = n.person AND t.ended = ` + now + `) THEN 1 ELSE 0 END AS test,
		n.recorded, nullif(n.fields, '') AS fields, n.event
	FROM deletion_notes n;
`

// present is the moment of a question, in SQL.
const present = `cast((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`
