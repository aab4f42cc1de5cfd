package consentledger.kotlin

import consentledger.Answer
import consentledger.Event
import consentledger.Ledger
import consentledger.Question
import consentledger.Receipt
import consentledger.Refusal
import consentledger.Unknown
import java.nio.file.Path
import java.time.Instant
import java.util.UUID
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration

/**
 * Opens a client of the consent ledger. It is that of Java, which says what happens when the ledger is down; here are its
 * settings by name, and outcomes in the place of exceptions.
 *
 * ```
 * consentLedger("https://consent.example.com", app = "smartkey") { key = apiKey; queue = Path("/var/lib/shop/consents") }.use { ledger ->
 *     ledger.keep(event("consent.withdrawn", subject = "account:17", "all" to true))
 *     if (ledger.allows(subject = "account:17", purpose = "personalisation")) { ... }
 * }
 * ```
 */
fun consentLedger(url: String, app: String, settings: Settings.() -> Unit = {}): Ledger {
    val s = Settings().apply(settings)
    val config = Ledger.at(url, app).key(s.key).queue(s.queue).queueMost(s.queueMost)
        .patience(s.patience.toJavaDuration()).remember(s.remember.toJavaDuration())
        .refused { event, refusal -> s.refused(event, refusal) }
    s.keyFrom?.let { config.keyFrom(it) }
    return Ledger(config)
}

/** The settings of a client; what each is for stands at [Ledger.Config]. */
class Settings {
    var key: String? = null
    var keyFrom: (() -> String?)? = null // goes before key
    var queue: Path? = null
    var queueMost: Int = 100_000
    var patience: Duration = 5.seconds
    var remember: Duration = Duration.ZERO
    var refused: (event: String, refusal: Refusal) -> Unit = { _, _ -> }
}

/** An event of now, with a new id unless it has one. */
fun event(
    type: String,
    subject: String,
    vararg data: Pair<String, Any?>,
    id: String = UUID.randomUUID().toString(),
    time: Instant = Instant.now(),
): Event = Event(id, type, subject, time, mapOf(*data))

/** What became of an event that was to be recorded. */
sealed interface Outcome {
    /** It is on the ledger's disk. */
    data class Recorded(val receipt: Receipt) : Outcome

    /** The ledger will never take it. */
    data class Refused(val refusal: Refusal) : Outcome

    /** It may be recorded or not: record it again with the same id. */
    data class Unsettled(val id: String, val cause: Throwable?) : Outcome
}

/** Records an event, trying again with the same id until the ledger answers or [patience] ends. */
fun Ledger.outcomeOf(event: Event, patience: Duration = 30.seconds): Outcome = try {
    Outcome.Recorded(record(event, patience.toJavaDuration()))
} catch (e: Refusal) {
    Outcome.Refused(e)
} catch (e: Unknown) {
    Outcome.Unsettled(e.id, e.cause)
}

/** May this be done, now? It never fails: what is not known is not allowed. */
fun Ledger.allows(subject: String, purpose: String, action: String = ""): Boolean = answerTo(subject, purpose, action).allowed

/** The same with its reason. */
fun Ledger.answerTo(subject: String, purpose: String, action: String = ""): Answer = allowed(Question(subject, purpose, action))
