import type { Certainty, Shape } from '#fhir'

/** Whether something is certain of an object, by what it has; what is not certain may still be so. */
export type Sign = (object: Readonly<Record<string, unknown>>) => boolean

const never: Sign = () => false

/** @param shape  of the objects; it knows the names that an element has in JSON, with those of its twin */
export function signOf(certain: Certainty, shape: Shape): Sign {
  if (certain === false) return never
  if (isJoined(certain)) {
    const signs = certain.slice(1).map(part => signOf(part as Certainty, shape))
    return certain[0] === 'any'
      ? object => signs.some(sign => sign(object))
      : object => signs.every(sign => sign(object))
  }
  const [kind, element, ...texts] = certain
  const names = namesOf(element, shape)
  const [name = ''] = names
  switch (kind) {
    case 'has':
      return object => names.some(each => object[each] !== undefined)
    case 'lacks':
      return object => names.every(each => object[each] === undefined)
    case 'valued':
      return object => object[name] !== undefined
    case 'is':
      return object => isText(object[name]) && texts.includes(object[name] as string)
    case 'isNot':
      return object => isText(object[name]) && !texts.includes(object[name] as string)
  }
}

function isJoined(certain: Exclude<Certainty, false>): certain is readonly ['any' | 'all', ...Certainty[]] {
  return certain[0] === 'any' || certain[0] === 'all'
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

/** `value` is `valueString`, `_valueString`, `valueQuantity` … in JSON. */
function namesOf(element: string, shape: Shape): readonly string[] {
  const written = new Set([element, `${element}[x]`])
  const names = [...shape.elements.values()]
    .filter(({ path }) => written.has(path.slice(path.lastIndexOf('.') + 1)))
    .map(({ name }) => name)
  return [...names, ...names.map(name => `_${name}`)]
}
