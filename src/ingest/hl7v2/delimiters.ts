/** What separates the parts of a message; each is one character. */
export interface Delimiters {
  readonly field: string
  readonly component: string
  readonly repetition: string
  readonly escape: string
  readonly subcomponent: string
}

export const delimiterNames = ['field', 'component', 'repetition', 'escape', 'subcomponent'] as const

/** HL7 v2.5.1, 2.5.4. */
export const usualDelimiters: Delimiters = {
  field: '|',
  component: '^',
  repetition: '~',
  escape: '\\',
  subcomponent: '&',
}

/** What MSH-1 and MSH-2 say; what they leave out is as usual. Undefined when they do not name any. */
export function delimitersOf(msh: string): Delimiters | undefined {
  const separator = msh[3] ?? ''
  const others = (msh.slice(4, 12).split(separator, 1)[0] ?? '').slice(0, 4)
  const [component = '^', repetition = '~', escaping = '\\', subcomponent = '&'] = others
  const used = [separator, component, repetition, escaping]
  if (!/^[^A-Za-z0-9\s]$/.test(separator) || others === '' || new Set(used).size !== used.length) return undefined
  // @NOTE senders that escape the escape character write five of them; the usual one is meant then.
  const real = subcomponent === escaping ? '&' : subcomponent
  return { field: separator, component, repetition, escape: escaping, subcomponent: real }
}
