package pwconform;

import io.roastedroot.proxywasm.internal.ArrayProxyMap;

/** The library's list of header fields, whose names are compared as servers do it: without regard to case. */
final class Fields extends ArrayProxyMap {
    @Override
    public String get(String name) {
        for (var field : entries()) {
            if (field.getKey().equalsIgnoreCase(name)) {
                return field.getValue();
            }
        }
        return null;
    }

    @Override
    public void remove(String name) {
        for (var all = entries().iterator(); all.hasNext(); ) {
            if (all.next().getKey().equalsIgnoreCase(name)) {
                all.remove();
            }
        }
    }
}
