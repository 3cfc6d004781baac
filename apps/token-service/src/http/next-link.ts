/**
 * The `Link` (RFC 8288) to the page after this one: the same query with some parameters changed. It is
 * relative to the address that was asked, whatever prefix a proxy has put before it.
 */
export function nextLink(url: string, changed: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(url.split('?')[1] ?? '');
  for (const [name, value] of Object.entries(changed)) parameters.set(name, value);
  return `<?${parameters.toString()}>; rel="next"`;
}
