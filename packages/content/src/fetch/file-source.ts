/** What can be read at any offset; `RandomAccessSource` of the wim package is one. */
interface Readable { readonly size: number; read(offset: number, length: number): Promise<Uint8Array> }

/** All bytes of a source in order, 1 MiB at a time. */
export async function* sourceOfFile(source: Readable): AsyncIterable<Uint8Array> {
  const step = 1024 * 1024;
  for (let offset = 0; offset < source.size; offset += step) yield source.read(offset, Math.min(step, source.size - offset));
}
