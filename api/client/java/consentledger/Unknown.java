package consentledger;

/** An event may be recorded or not. Record it again with the same id: it is never recorded twice. */
public final class Unknown extends Exception {
    private static final long serialVersionUID = 1;

    public final String id;

    Unknown(String id, Throwable cause) {
        super("it is not known whether event " + id + " is recorded", cause);
        this.id = id;
    }
}
