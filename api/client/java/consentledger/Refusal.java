package consentledger;

import java.util.Map;
import java.util.Set;

/** The ledger's answer to what it will never take. Sending the same again brings the same answer. */
public final class Refusal extends Exception {
    private static final long serialVersionUID = 1;

    private static final Set<String> OF_SENDER = Set.of("unauthenticated", "forbidden", "unmapped", "unknown-app");

    public final int status;
    public final String code;
    public final String detail; // what is wrong and what would be right; it holds nothing of what was sent
    public final String path; // the member that it is about

    Refusal(int status, Map<String, Object> problem) {
        super("the ledger refused it (" + problem.get("code") + "): " + problem.get("detail"));
        this.status = status;
        this.code = String.valueOf(problem.get("code"));
        this.detail = String.valueOf(problem.get("detail"));
        this.path = problem.containsKey("path") ? String.valueOf(problem.get("path")) : "";
    }

    /** Whether it is the event that is refused, and not whoever sends it: a key that was revoked makes no event wrong. */
    boolean ofEvent() {
        return status != 401 && !OF_SENDER.contains(code);
    }
}
