package server

import (
	"errors"
	"time"

	"consentledger/api/rest"
)

// integrity says whether what is recorded is what was signed, and what else would prove it.
func (h *Server) integrity() *rest.IntegrityReport {
	report := &rest.IntegrityReport{Logs: []rest.SignedLog{}, Witnessed: h.witnesses != nil}
	if err := h.Dir.takesRecords(); err != nil {
		report.ReadOnly = err.Error()
	}
	if made := h.backedUp.Load(); made != 0 {
		report.Backup = momentOf(time.UnixMilli(made))
	}

	standings, fault := h.Logs.Standings()
	if fault != nil {
		report.Mismatch = &rest.LogMismatch{App: string(fault.App), Detail: fault.Err.Error()}
	}
	for _, s := range standings {
		log := rest.SignedLog{App: string(s.App), Size: s.Size, Root: s.Root.String(), Verified: s.Verified,
			At: momentOf(s.At)}
		if h.witnesses != nil {
			log.Witnesses = &rest.LogWitnesses{}
			if said, err := h.witnesses.Status(s.App); err != nil {
				log.Witnesses.Error = err.Error()
			} else {
				log.Witnesses.Size, log.Witnesses.At = said.Size, momentOf(said.Last)
			}
		}
		report.Logs = append(report.Logs, log)
	}
	return report
}

// takesRecords returns why no record can be written; nil: one can.
func (d *DataDir) takesRecords() error {
	return errors.Join(d.ReadOnly.held(), d.writable())
}

// momentOf returns a time as the API writes it; the zero one is empty.
func momentOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
