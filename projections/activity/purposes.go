package activity

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/policy"
)

// purposesOf returns the purposes that an event names, none if it is about
// none in particular. They may lie in room, which is empty.
func purposesOf(e domain.Event, room []policy.PurposeID) ([]policy.PurposeID, error) {
	switch e := e.(type) {
	case domain.ConsentGiven:
		for _, item := range e.Items {
			room = append(room, item.Purpose)
		}
		return room, nil
	case domain.ConsentRefused:
		return e.Scope.Purposes, nil
	case domain.ConsentWithdrawn:
		return e.Scope.Purposes, nil
	case domain.PermissionRevoked:
		return e.Withdraws, nil
	case domain.ConsentRequested:
		return e.Purposes, nil
	case domain.ExemptionInvoked:
		return e.Purposes, nil
	case domain.RequestReceived:
		return e.Purposes, nil
	case domain.CheckAnswered:
		return append(room, e.Purpose), nil
	case domain.AppRegistered, domain.PolicyPublished, domain.PolicyEffective, domain.PolicyAcknowledged, domain.NoticePresented,
		domain.PermissionGranted, domain.PermissionDenied, domain.RecordVoided, domain.RecordDisputed, domain.SignerRegistered, domain.ServiceCeased,
		domain.BuildVoided, domain.BuildDisputed, domain.SurfacePublished, domain.ConsentUsed, domain.ExemptionEnded, domain.HoldPlaced, domain.HoldReleased,
		domain.RestrictionApplied, domain.RestrictionLifted, domain.AgeRecorded, domain.MinorDataFound, domain.GuardianVerified, domain.GuardianEnded,
		domain.SubjectLinked, domain.SubjectUnlinked, domain.SubjectReassigned, domain.SubjectClosed, domain.SubjectMarkedTest, domain.Noted,
		domain.RequestMade, domain.Stepped, domain.CalendarPublished, domain.DataAccessed, domain.ErasureOrdered, domain.SubjectErased,
		domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		return nil, nil
	}
	return nil, fmt.Errorf("event %T has no case in activity", e)
}

// listOf writes purposes with commas between, each of them once.
func listOf(ids []policy.PurposeID) string {
	if len(ids) == 1 {
		return string(ids[0])
	}
	names := make([]string, 0, 16)
	for _, id := range ids {
		if !slices.Contains(names, string(id)) {
			names = append(names, string(id))
		}
	}
	return strings.Join(names, ",")
}
