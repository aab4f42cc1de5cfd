package consentledger;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Events that wait on disk, a file each, whose names are in the order in which they were kept. A file is there whole or
 * not at all, also after a crash, and is removed when the ledger has its event: one that was sent and not removed is sent
 * again, with the same id.
 */
final class Queue implements AutoCloseable {
    private static final String NAME = "\\d{20}\\.json";

    private final Path dir;
    private final Path refused;
    private final int most;
    private final FileChannel lock;
    private final Deque<Path> waiting = new ArrayDeque<>();
    private long last;

    Queue(Path dir, int most) throws IOException {
        this.dir = dir;
        this.refused = dir.resolve("refused");
        this.most = most;
        Files.createDirectories(refused);
        this.lock = FileChannel.open(dir.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (!locked(lock)) {
            lock.close();
            throw new IOException("the queue " + dir + " is in use: give each process a directory of its own");
        }

        try (Stream<Path> files = Files.list(dir)) {
            List<Path> names = files.filter(f -> f.getFileName().toString().matches(NAME)).sorted()
                    .collect(Collectors.toList());
            waiting.addAll(names);
        }
        if (!waiting.isEmpty()) {
            last = Long.parseLong(waiting.peekLast().getFileName().toString().substring(0, 20));
        }
    }

    private static boolean locked(FileChannel lock) throws IOException {
        try {
            FileLock is = lock.tryLock();
            return is != null;
        } catch (OverlappingFileLockException e) {
            return false; // by this process
        }
    }

    synchronized int size() {
        return waiting.size();
    }

    synchronized List<Path> all() {
        return Collections.unmodifiableList(new ArrayList<>(waiting));
    }

    /** Keeps an event, on disk when it returns. */
    synchronized void put(String event) throws IOException {
        if (waiting.size() >= most) {
            throw new IOException("the queue is full: " + most + " events wait for the ledger; nothing was kept");
        }
        Path file = dir.resolve(String.format("%020d.json", last + 1));
        write(file, event);
        last++;
        waiting.add(file);
        notifyAll();
    }

    /** Returns the oldest event, and waits until there is one. */
    synchronized Path first() throws InterruptedException {
        while (waiting.isEmpty()) {
            wait();
        }
        return waiting.peek();
    }

    static String read(Path file) throws IOException {
        return Files.readString(file);
    }

    /** Removes the oldest event, which the ledger has. */
    synchronized void drop() throws IOException {
        Files.delete(waiting.peek());
        waiting.remove();
    }

    /** Keeps the oldest event, which the ledger refused, apart from what waits. */
    synchronized void refuse(String event, Refusal why) throws IOException {
        Map<String, Object> kept = new LinkedHashMap<>();
        kept.put("event", Json.parse(event));
        kept.put("code", why.code);
        kept.put("detail", why.detail);
        write(refused.resolve(waiting.peek().getFileName()), Json.write(kept));
        drop();
    }

    private static void write(Path file, String text) throws IOException {
        Path next = Files.createTempFile(file.getParent(), "next-", "");
        try (FileChannel f = FileChannel.open(next, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                f.write(bytes);
            }
            f.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);

        // On Windows a directory cannot be opened: names are written there when files are.
        if (!System.getProperty("os.name").startsWith("Windows")) {
            try (FileChannel d = FileChannel.open(file.getParent(), StandardOpenOption.READ)) {
                d.force(true);
            }
        }
    }

    @Override
    public void close() throws IOException {
        lock.close();
    }
}
