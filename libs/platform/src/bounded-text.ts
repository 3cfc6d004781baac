/**
 * The body of an answer of somebody else's, as text, of which no more is held than was expected.
 *
 * @throws Error of that message where there is more
 */
export async function boundedText(
  response: Response,
  { mostBytes, tooLarge }: { readonly mostBytes: number; readonly tooLarge: string },
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > mostBytes) throw new Error(tooLarge);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
