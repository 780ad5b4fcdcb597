// A list for who takes a stream.

export async function* each<T>(values: Iterable<T>): AsyncGenerator<T> {
  yield* values
}
