package consentledger;

import java.util.Collections;
import java.util.Map;

/** Says that an event is recorded. The same event gets the same receipt for ever. */
public final class Receipt {
    public final String eventId;
    public final String position; // an opaque token: "at least as new as this"
    public final String counts; // of a consent: yes, partly or no; else empty
    public final Map<String, Object> members; // all that the ledger said

    Receipt(Map<String, Object> members) {
        this.members = Collections.unmodifiableMap(members);
        this.eventId = String.valueOf(members.get("event_id"));
        this.position = String.valueOf(members.get("position"));
        this.counts = members.containsKey("counts") ? String.valueOf(members.get("counts")) : "";
    }
}
