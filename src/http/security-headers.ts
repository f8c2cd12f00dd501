/** What every answer says to browsers and caches; health data is never kept by either. */
export const strictHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
}

/** The same headers under lower-case names, so that of two spellings the later one wins. */
export function lowerCased<T>(headers: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** The strict headers, and on https the promise to stay there. */
export function headersFor(baseUrl: string): Readonly<Record<string, string>> {
  if (!baseUrl.startsWith('https:')) return strictHeaders
  return { ...strictHeaders, 'strict-transport-security': 'max-age=31536000' }
}
