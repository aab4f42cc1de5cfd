package consentledger;

import java.util.Map;

/** The answer to a {@link Question}. What is not known is not allowed. */
public final class Answer {
    public final boolean allowed;
    public final String status;
    public final String why;
    public final String reason;

    Answer(boolean allowed, String status, String why, String reason) {
        this.allowed = allowed;
        this.status = status;
        this.why = why;
        this.reason = reason;
    }

    static Answer of(Map<String, Object> members) {
        return new Answer(Boolean.TRUE.equals(members.get("allowed")), text(members, "status"), text(members, "why"),
                text(members, "reason"));
    }

    static Answer unknown() {
        return new Answer(false, "unknown", "unknown", "The ledger did not answer, and what is not known is not allowed.");
    }

    static Answer optedOut() {
        return new Answer(false, "withdrawn", "said-here",
                "The person opted out here, and the ledger may not have it yet.");
    }

    private static String text(Map<String, Object> members, String name) {
        Object value = members.get(name);
        return value instanceof String ? (String) value : "";
    }
}
