/** The same bytes with `a` to `z` in upper case. */
export function upperCase(bytes: ArrayBuffer): ArrayBuffer {
  const upper = Uint8Array.wrap(bytes.slice(0));
  for (let i = 0; i < upper.length; i++) {
    const byte = upper[i];
    if (byte >= 0x61 && byte <= 0x7a) upper[i] = byte - 0x20;
  }
  return upper.buffer;
}

/** `count` times the same byte. */
export function repeated(byte: u8, count: i32): ArrayBuffer {
  return new Uint8Array(count).fill(byte).buffer;
}
