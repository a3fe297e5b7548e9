package pwconform;

import com.dylibso.chicory.runtime.ChicoryInterruptedException;

/** The deadline of a scenario has passed: no fault of a plugin that the host could report. */
final class Hung {
    private Hung() {}

    /** Throws {@code cause} if it is the interrupt of the deadline, else returns it. */
    static Throwable unless(Throwable cause) {
        if (cause instanceof ChicoryInterruptedException interrupted) {
            throw interrupted;
        }
        return cause;
    }
}
