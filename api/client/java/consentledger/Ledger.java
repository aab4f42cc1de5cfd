package consentledger;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * The consent ledger's client for Java 11 and newer. It has no dependencies, and is safe for use by several threads.
 *
 * <pre>
 * try (Ledger ledger = new Ledger(Ledger.at("https://consent.example.com", "smartkey").key(key).queue(Path.of("/var/lib/shop/consents")))) {
 *     ledger.keep(new Event("consent.withdrawn", "account:17", Map.of("all", true)));
 *     if (ledger.allowed(new Question("account:17", "personalisation")).allowed) { ... }
 * }
 * </pre>
 *
 * When the ledger is down: {@link #record} tries again with the same id until its patience ends, and then throws {@link
 * Unknown}; {@link #keep} returns once the event is on this machine's disk, from where a thread sends it when the ledger
 * answers again, also after a restart; {@link #check} throws; {@link #allowed} answers "unknown", which is not allowed, or
 * a yes that is not older than {@link Config#remember}.
 *
 * <p>An opt-out counts in this process at once: from the moment that record or keep is called with one until the ledger
 * has it, allowed says no for that person.
 */
public final class Ledger implements AutoCloseable {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
    private static final int LONGEST_AFTER = 3600;

    /** For whom a client speaks, and how. */
    public static final class Config {
        private final String url;
        private final String app;
        private Supplier<String> key = () -> "";
        private Path queue;
        private int queueMost = 100_000;
        private Duration patience = Duration.ofSeconds(5);
        private Duration remember = Duration.ZERO;
        private int rememberMost = 10_000;
        private BiConsumer<String, Refusal> refused = (event, refusal) -> { };

        private Config(String url, String app) {
            if (!app.matches("[a-z0-9]{1,32}")) {
                throw new IllegalArgumentException(
                        "app: want the app's name in the ledger, 1 to 32 lower-case letters and digits");
            }
            URI uri = URI.create(url);
            boolean http = "https".equals(uri.getScheme()) || "http".equals(uri.getScheme());
            if (!http || uri.getHost() == null || uri.getRawQuery() != null || uri.getRawUserInfo() != null) {
                throw new IllegalArgumentException("url: want the ledger's, as in https://consent.example.com");
            }
            this.url = url.replaceAll("/+$", "");
            this.app = app;
        }

        /** The API key; null or empty: none, for a ledger that authenticates nobody. */
        public Config key(String key) {
            String checked = header(key);
            this.key = () -> checked;
            return this;
        }

        /**
         * Is asked for the key before each request, for keys that are rotated and tokens that end. What it throws counts as
         * a ledger that does not answer: what is kept waits.
         */
        public Config keyFrom(Supplier<String> key) {
            this.key = Objects.requireNonNull(key, "keyFrom: want what says the key");
            return this;
        }

        /** Returns a key as a header takes it; a file of a secret often ends with a line break. */
        private static String header(String key) {
            String stripped = Objects.requireNonNullElse(key, "").strip();
            if (!stripped.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
                throw new IllegalArgumentException("key: want one key or token alone, without spaces and line breaks");
            }
            return stripped;
        }

        /** The directory where {@link Ledger#keep} keeps events. */
        public Config queue(Path dir) {
            this.queue = dir;
            return this;
        }

        /** How many events may wait there; 100,000 if nothing is said. */
        public Config queueMost(int most) {
            this.queueMost = most;
            return this;
        }

        /** How long one try may take; 5 seconds if nothing is said. */
        public Config patience(Duration patience) {
            this.patience = patience;
            return this;
        }

        /**
         * For how long {@link Ledger#allowed} may repeat an answer without asking again. While it does, an opt-out that
         * another process recorded is not seen. It always asks if nothing is said.
         */
        public Config remember(Duration remember) {
            this.remember = remember;
            return this;
        }

        /**
         * Is told what the ledger refused of what was kept, as JSON, and why: an error of the app, which nobody else hears
         * of. The event is kept below the queue's directory, in "refused". While the key is no good, or may not record,
         * nothing is refused: all waits.
         */
        public Config refused(BiConsumer<String, Refusal> refused) {
            this.refused = refused;
            return this;
        }
    }

    /** The ledger at a URL, for an app. */
    public static Config at(String url, String app) {
        return new Config(url, app);
    }

    /** What was answered, and until when it may be repeated. */
    private static final class Remembered {
        final Answer answer;
        final long until;

        Remembered(Answer answer, long until) {
            this.answer = answer;
            this.until = until;
        }
    }

    /** A ledger that cannot answer now, and may say when to ask again. */
    private static final class Busy extends IOException {
        private static final long serialVersionUID = 1;
        final Duration after;

        Busy(int status, Duration after) {
            super("the ledger cannot answer now (status " + status + ")");
            this.after = after;
        }
    }

    private final Config config;
    private final HttpClient http;
    private final Queue queue; // null: there is none
    private final Thread sender;

    // Guarded by this.
    private final Map<String, Integer> optingOut = new HashMap<>(); // by person: those that the ledger may not have yet
    private long said; // grows with everything that is said of anybody
    private final Map<Question, Remembered> remembered = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Question, Remembered> eldest) {
            return size() > config.rememberMost;
        }
    };

    /** Opens a client. What a queue held when its process ended is sent now. */
    public Ledger(Config config) throws IOException {
        this.config = config;
        this.http = HttpClient.newBuilder().connectTimeout(config.patience).followRedirects(HttpClient.Redirect.NEVER)
                .build();
        this.queue = config.queue == null ? null : new Queue(config.queue, config.queueMost);
        if (queue == null) {
            sender = null;
            return;
        }

        for (Path file : queue.all()) { // opt-outs of an earlier run hold until they are recorded
            begin(optsOut(Queue.read(file), file));
        }
        sender = new Thread(this::send, "consentledger");
        sender.setDaemon(true);
        sender.start();
    }

    /** Returns whom an event is about if it is an opt-out, else null. */
    private static String optsOut(String event, Path file) throws IOException {
        Map<String, Object> e = Json.object(event);
        if (e == null || !(e.get("type") instanceof String) || !(e.get("subject") instanceof String)) {
            throw new IOException(file + " holds no event any more, and it may have been an opt-out: look at it, then "
                    + "move it away");
        }
        String subject = (String) e.get("subject");
        return new Event((String) e.get("type"), subject, Map.of()).optsOut() ? subject : null;
    }

    /**
     * Records an event and returns the ledger's receipt: the event is on the ledger's disk then. It tries again, with the
     * same id, until the ledger answers or patience ends.
     */
    public Receipt record(Event event, Duration patience) throws Refusal, Unknown {
        String subject = event.optsOut() ? event.subject : null;
        begin(subject);
        try {
            long until = System.nanoTime() + patience.toNanos();
            for (Duration pause = FIRST_PAUSE; ; pause = longer(pause)) {
                try {
                    return new Receipt(ask("/events", "application/cloudevents+json", event.toJson("/" + config.app)));
                } catch (IOException e) {
                    if (!rest(pause, e, until)) {
                        throw new Unknown(event.id, e);
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new Unknown(event.id, e);
                }
            }
        } finally {
            end(subject);
        }
    }

    /** Puts an event into the queue on this machine's disk and returns. It is sent as often as is needed, in its order. */
    public void keep(Event event) throws IOException {
        if (queue == null) {
            throw new IllegalStateException("there is no queue: name a directory by Config.queue");
        }
        String subject = event.optsOut() ? event.subject : null;
        begin(subject);
        boolean kept = false;
        try {
            queue.put(event.toJson("/" + config.app));
            kept = true;
        } finally {
            if (!kept) {
                end(subject);
            }
        }
    }

    /** Returns how many events wait in the queue. */
    public int waiting() {
        return queue == null ? 0 : queue.size();
    }

    /** Asks the ledger, once: may this be done, now? */
    public Answer check(Question question) throws IOException, Refusal, InterruptedException {
        return Answer.of(ask("/check", "application/json", question.toJson()));
    }

    /** Is check for code that only wants to know whether to go on: it never fails. */
    public Answer allowed(Question question) {
        long asked;
        synchronized (this) {
            if (optingOut.containsKey(personOf(question.subject))) {
                return Answer.optedOut();
            }
            Remembered r = remembered.get(question);
            if (r != null && System.nanoTime() - r.until < 0) {
                return r.answer;
            }
            asked = said;
        }

        Answer answer;
        boolean known = true;
        try {
            answer = check(question);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Answer.unknown();
        } catch (IOException | Refusal e) {
            answer = Answer.unknown();
            known = false;
        }

        synchronized (this) {
            if (optingOut.containsKey(personOf(question.subject))) {
                return Answer.optedOut(); // said while the ledger was being asked
            }
            if (known && said == asked && !config.remember.isZero()) {
                remembered.put(question, new Remembered(answer, System.nanoTime() + config.remember.toNanos()));
            }
        }
        return answer;
    }

    /** Returns the whole name of a person: "17" is "account:17" for the ledger. */
    private static String personOf(String subject) {
        return subject.contains(":") ? subject : "account:" + subject;
    }

    /** Notes that something is being said. Subject: of whom, if it is an opt-out; null: nobody opts out. */
    private synchronized void begin(String subject) {
        said++;
        remembered.clear(); // people say things rarely: to forget all is simple, and never wrong
        if (subject != null) {
            optingOut.merge(personOf(subject), 1, Integer::sum);
        }
    }

    /** Notes that the ledger has what was said, or refused it. */
    private synchronized void end(String subject) {
        said++;
        remembered.clear();
        if (subject != null) {
            optingOut.computeIfPresent(personOf(subject), (s, n) -> n == 1 ? null : n - 1);
        }
    }

    /** Sends what is kept, one after the other, until the client is closed. */
    private void send() {
        Duration pause = FIRST_PAUSE;
        while (!Thread.currentThread().isInterrupted()) {
            try {
                Path file = queue.first();
                String event = Queue.read(file);
                String subject = optsOut(event, file);
                Refusal refused = null;
                try {
                    ask("/events", "application/cloudevents+json", event);
                    queue.drop();
                } catch (Refusal refusal) {
                    if (!refusal.ofEvent()) {
                        throw new IOException(refusal); // another key may do it
                    }
                    queue.refuse(event, refusal);
                    refused = refusal;
                }
                end(subject);
                pause = FIRST_PAUSE;
                if (refused != null) {
                    tell(event, refused);
                }
            } catch (InterruptedException e) {
                return;
            } catch (IOException e) { // nobody answers, or the disk is away
                if (!rest(pause, e, Long.MAX_VALUE)) {
                    return;
                }
                pause = longer(pause);
            }
        }
    }

    /** Tells the app of a refusal. If the app fails at it, the thread hears of that and goes on sending. */
    private void tell(String event, Refusal refusal) {
        try {
            config.refused.accept(event, refusal);
        } catch (RuntimeException e) {
            Thread self = Thread.currentThread();
            self.getUncaughtExceptionHandler().uncaughtException(self, e);
        }
    }

    private static Duration longer(Duration pause) {
        Duration twice = pause.multipliedBy(2);
        return twice.compareTo(LONGEST_PAUSE) < 0 ? twice : LONGEST_PAUSE;
    }

    /** Rests before another try, and returns whether there is one. Until is a time of nanoTime, or MAX_VALUE. */
    private static boolean rest(Duration pause, IOException cause, long until) {
        long wait = ThreadLocalRandom.current().nextLong(pause.toNanos());
        if (cause instanceof Busy) {
            wait += ((Busy) cause).after.toNanos();
        }
        if (until != Long.MAX_VALUE && System.nanoTime() + wait - until >= 0) {
            return false;
        }
        try {
            Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private String key() throws IOException {
        try {
            return Config.header(config.key.get());
        } catch (RuntimeException e) {
            throw new IOException("the key cannot be had", e);
        }
    }

    /** Asks once. An IOException means that it is not known whether the request arrived. */
    private Map<String, Object> ask(String path, String type, String body)
            throws IOException, Refusal, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(config.url + "/v1/apps/" + config.app + path))
                .timeout(config.patience).header("Content-Type", type).POST(HttpRequest.BodyPublishers.ofString(body));
        String key = key();
        if (!key.isEmpty()) {
            request.header("Authorization", "Bearer " + key);
        }
        HttpResponse<String> response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());

        Map<String, Object> answer = Json.object(response.body());
        int status = response.statusCode();
        if (status / 100 == 2 && answer != null) {
            return answer;
        }
        if (status / 100 == 4 && status != 408 && status != 429 && answer != null && answer.get("code") instanceof String) {
            throw new Refusal(status, answer);
        }

        // Too much at once, a ledger that cannot answer now, or a proxy on the way that speaks
        // for it: what is so today may be otherwise tomorrow.
        String after = response.headers().firstValue("Retry-After").orElse("0");
        int seconds = after.matches("\\d{1,4}") ? Math.min(Integer.parseInt(after), LONGEST_AFTER) : 0;
        throw new Busy(status, Duration.ofSeconds(seconds));
    }

    /** Stops sending, and gives the queue's directory back. What waits there is sent the next time. */
    @Override
    public void close() throws IOException {
        if (queue == null) {
            return;
        }
        sender.interrupt();
        try {
            sender.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        queue.close();
    }
}
