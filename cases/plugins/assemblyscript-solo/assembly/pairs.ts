import { HeaderPair } from "@solo-io/proxy-runtime";

/** A header of the given name and value. */
export function pair(name: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(name), String.UTF8.encode(value));
}
