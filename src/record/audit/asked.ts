import type { Query } from '#search'

/** What an AuditEvent keeps of a search. */
export interface Asked {
  /** Types and parameters by name, such as `Observation?code&date`: whose audit it is, others' values have no place there. */
  readonly name?: string
  /** Types, parameters and values, or the beginning of them. */
  readonly text?: string
  /** Of a text that was cut: a keyed digest of the whole. */
  readonly digest?: string
  /** Of a text that was cut: UTF-8 bytes of the whole. */
  readonly bytes?: number
}

/** UTF-8 bytes that an AuditEvent keeps of one search. */
const longestText = 1_000
/** Beyond these a search is said to ask for many types. */
const listedTypes = 8

/** Types and parameters of a search, each once, without any value. */
export function namesAsked({ types, text }: Pick<Query, 'types' | 'text'>): Asked {
  const names = [...new Set(new URLSearchParams(text).keys())].filter(name => name !== '_type')
  return { name: cut(`${typesOf(types)}?${names.join('&')}`) }
}

/** All that was asked. What is longer than a kilobyte is cut; the digest can tell whether it was a certain text. */
export function textAsked({ types, text }: Query, digestOf: (text: string) => string): Asked {
  const whole = `${types.join(',')}?${text}`
  const bytes = Buffer.byteLength(whole)
  return bytes <= longestText ? { text: whole } : { text: cut(whole), digest: digestOf(whole), bytes }
}

/** What is left of a kept text when its values are forgotten. */
export function namesInText(text: string): Asked {
  const at = text.indexOf('?')
  return namesAsked({ types: text.slice(0, Math.max(0, at)).split(','), text: text.slice(at + 1) })
}

function typesOf(types: readonly string[]): string {
  return types.length > listedTypes ? `${types.length} types` : types.join(',')
}

/** As much of it as fits, and no half characters. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= longestText) return text
  return Buffer.from(text)
    .subarray(0, longestText)
    .toString('utf8')
    .replace(/\ufffd+$/, '')
}
