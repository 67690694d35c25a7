// A Java virtual machine whose native code holds a connection. Arguments: the native library, host port user password
// database. One answer a line:
//
//   begin SQL   begun: a thread of its own runs the statement
//   trouble     what other threads went through meanwhile: null pointers and full stacks, which the machine hears of by
//               SIGSEGV, a file that is shorter than its mapping (SIGBUS), collections of garbage, which stop all threads
//   interrupt   interrupted: the thread that was begun
//   value       what came of it: ok ROWS | error NUMBER
//   query SQL   the same at once

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;

public class Jvm {
    static native long open(String[] words);

    static native String query(long handle, String sql);

    static native void close(long handle);

    int field;

    static volatile String value;
    static volatile int sink;

    static int read(Jvm of) {
        return of.field;
    }

    static int nulls() {
        int thrown = 0;
        Jvm one = new Jvm();
        for (int i = 0; i < 200_000; i++) {
            try {
                sink += read(i % 100 == 0 ? null : one);
            } catch (NullPointerException expected) {
                thrown++;
            }
        }
        return thrown;
    }

    static int deep(int depth) {
        return deep(depth + 1) + 1;
    }

    static int overflows() {
        int thrown = 0;
        for (int i = 0; i < 10; i++) {
            try {
                deep(0);
            } catch (StackOverflowError expected) {
                thrown++;
            }
        }
        return thrown;
    }

    // Told some time after the access that it is about.
    static int beyondTheEnd() throws Exception {
        File file = File.createTempFile("jvm", null);
        file.deleteOnExit();
        try (RandomAccessFile opened = new RandomAccessFile(file, "rw")) {
            opened.setLength(1 << 20);
            MappedByteBuffer mapped = opened.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, 1 << 20);
            opened.setLength(0);
            sink += mapped.get(1 << 19);
            Thread.sleep(1);
            return 0;
        } catch (InternalError expected) {
            return 1;
        }
    }

    static String trouble() throws Exception {
        String[] answers = new String[2];
        Thread thrower = new Thread(() -> answers[0] = nulls() + " nulls, " + overflows() + " overflows");
        Thread collector = new Thread(() -> {
            for (int i = 0; i < 10; i++) {
                byte[][] garbage = new byte[1000][];
                Arrays.setAll(garbage, each -> new byte[1000]);
                sink += garbage.length;
                System.gc();
            }
            answers[1] = "10 collections";
        });
        thrower.start();
        collector.start();
        int beyond = beyondTheEnd();
        thrower.join();
        collector.join();
        return answers[0] + ", " + beyond + " beyond, " + answers[1];
    }

    public static void main(String[] words) throws Exception {
        System.load(words[0]);
        long handle = open(Arrays.copyOfRange(words, 1, 6));
        System.out.println(handle == 0 ? "failed" : "connected");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        Thread begun = null;
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] command = line.split(" ", 2);
            switch (command[0]) {
                case "begin" -> {
                    begun = new Thread(() -> value = query(handle, command[1]));
                    begun.start();
                    System.out.println("begun");
                }
                case "trouble" -> System.out.println(trouble());
                case "interrupt" -> {
                    begun.interrupt();
                    System.out.println("interrupted");
                }
                case "value" -> {
                    begun.join();
                    System.out.println(value);
                }
                default -> System.out.println(query(handle, command[1]));
            }
        }
        close(handle);
    }
}
